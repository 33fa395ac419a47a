/** @file Every op of the table, in the interpreter and in TensorFlow.js, on random inputs. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { evaluate } from '../../ir/interpreter/evaluate.ts';
import type { Tensor } from '../../ir/interpreter/index.ts';
import { isTensorType } from '../../ir/ops/spec.ts';
import { opKinds, opSpecs } from '../../ir/ops/table.ts';
import type { OpKind } from '../../ir/ops/table.ts';
import type { TensorType } from '../../ir/types.ts';
import { Draw } from '../support/draw.ts';
import { attendInNetwork } from './support/attention.ts';
import { constantOracles, counting } from './support/constant-oracles.ts';
import { mathOracles } from './support/math-oracles.ts';
import { modelOracles } from './support/model-oracles.ts';
import type { OpCase, OpOracle } from './support/oracle.ts';
import { assertSame, computed, startTensorFlow, toTf } from './support/tf.ts';

const oracles: Readonly<Record<OpKind, OpOracle>> = {
  ...constantOracles,
  ...mathOracles,
  ...modelOracles,
} satisfies Record<OpKind, OpOracle>;

describe('oracle: ops', () => {
  before(startTensorFlow);

  for (const kind of opKinds) {
    const { ulps } = oracles[kind];
    it(`${kind} is what TensorFlow.js computes, ${ulps === 0 ? 'to the bit' : `within ${ulps} ulps`}`, () => {
      const property = fc.property(seeds, (seed) => {
        oracles[kind].cases(new Draw(seed)).forEach((one, i) => compare(kind, one, `case ${i} of seed ${seed}`));
      });
      fc.assert(property, { numRuns: kind === 'linear' ? 5 : 20 });
    });

    it(`${kind}: the cases have all of its optional operands and attributes, there and not there`, () => {
      const cases = oracles[kind].cases(new Draw(1));
      const { extras = [], attrs = {} } = opSpecs[kind];
      for (const name of extras) {
        assertBoth(
          cases.map((one) => name in (one.extras ?? {})),
          `${kind}: ${name}`,
        );
      }
      for (const [name, spec] of Object.entries(attrs)) {
        const values = cases.map((one) => one.attrs?.[name]);
        if (spec.optional === true) {
          assertBoth(
            values.map((value) => value !== undefined),
            `${kind}: ${name}`,
          );
        }
        const needed = spec.type === 'boolean' ? [true, false] : spec.type === 'string' ? (spec.oneOf ?? []) : [];
        for (const value of needed) assert.ok(values.includes(value), `${kind}: no case with ${name}: ${value}`);
      }
    });
  }
});

/** A seed has no smaller form that would be clearer. */
const seeds = fc.noShrink(fc.nat());

function assertBoth(found: readonly boolean[], what: string): void {
  assert.ok(found.includes(true), `no case with ${what}`);
  assert.ok(found.includes(false), `no case without ${what}`);
}

function compare(kind: OpKind, one: OpCase, what: string): void {
  const { operands, extras = {}, attrs = {}, declared } = one;
  const type = opSpecs[kind].infer({
    operands: operands.map(typeOf),
    extras: Object.fromEntries(Object.entries(extras).map(([name, value]) => [name, typeOf(value)])),
    attrs,
    declared,
  });
  assert.ok(isTensorType(type), `${what}: the table refuses the case`);
  const shape = type.shape.map(Number);
  const found = evaluate(kind, {
    operands,
    extras,
    attrs,
    type,
    around: { source: counting, attend: (q, k, v) => attendInNetwork(q, k, v, attrs) },
  });
  const expected = computed(() =>
    oracles[kind].reference({
      operands: operands.map(toTf),
      extras: Object.fromEntries(Object.entries(extras).map(([name, value]) => [name, toTf(value)])),
      attrs,
      shape,
    }),
  );
  assert.deepEqual(found.shape, shape, `${what}: inferred shape`);
  assertSame(found, expected, oracles[kind].ulps, `${what}: ${JSON.stringify(attrs)}`);
}

function typeOf({ shape, data }: Tensor): TensorType {
  return { dtype: data instanceof Int32Array ? 'i32' : 'f32', shape };
}
