/**
 * @file Writes equal things in one way, so that later passes look for one form.
 *
 *     %1 = add(@c, %0)                          =>    %1 = add(%0, @c)
 *     %1 = scale(%0) {by: 1}                    =>    %0
 *     slice of all · reshape to the same shape · concat of one part · transpose of transpose    =>    what it is of
 *     slice of a slice along the same axis      =>    one slice
 *     concat(w[0..4], w[4..8])                  =>    w[0..8]
 *
 * Values that nothing reads afterwards are left to dce. Not: sums of constants with one row, whose operands have an order;
 * `scale` of `scale`, whose product could round differently.
 */
import { constsByName, isGlobal, numberAttr, sameType } from '../../ir/index.ts';
import type { Const, Global, Network, Op, Ref, Region, TensorType } from '../../ir/index.ts';
import type { NetworkPass } from '../pass.ts';
import { mapRegions, mapSame, onGlobals, replaceConstReads, replaceReads, withConsts } from './rewrite.ts';
import type { Node } from './rewrite.ts';

export const canonicalise: NetworkPass = {
  name: 'canonicalise',
  summary: 'Write equal things in one way.',
  stage: 'network',
  run: (network) => {
    const { consts, alias } = canonicalConsts(network);
    const changed = withConsts(network, consts);
    const byName = constsByName(changed);
    return mapRegions(changed, (region) => canonicalRegion(region, byName, alias));
  },
};

interface Around {
  readonly definition: (ref: Ref) => Node | undefined;
  readonly type: (ref: Ref) => TensorType | undefined;
}

/** Another way to write a node: a value that is there already, or other fields. */
type Rewrite = { readonly same: Ref } | Partial<Pick<Node, 'kind' | 'operands' | 'attrs'>>;
type Rule = (node: Node, around: Around) => Rewrite | undefined;

const rules: readonly Rule[] = [
  constantLast,
  unitScale,
  sameShape,
  doubleTranspose,
  doubleReshape,
  doubleSlice,
  singlePart,
  adjacentParts,
];

function constantLast({ kind, operands: [a, b], type }: Node, around: Around): Rewrite | undefined {
  if ((kind !== 'add' && kind !== 'mul') || a === undefined || b === undefined) return undefined;
  const bType = around.type(b);
  const swaps = isGlobal(a) && !isGlobal(b) && bType !== undefined && sameType(type, bType);
  return swaps ? { operands: [b, a] } : undefined;
}

function unitScale({ kind, operands: [x], attrs }: Node): Rewrite | undefined {
  return kind === 'scale' && attrs['by'] === 1 && x !== undefined ? { same: x } : undefined;
}

function sameShape({ kind, operands: [x], type }: Node, around: Around): Rewrite | undefined {
  if ((kind !== 'slice' && kind !== 'reshape') || x === undefined) return undefined;
  const before = around.type(x);
  return before !== undefined && sameType(before, type) ? { same: x } : undefined;
}

function doubleTranspose({ kind, operands: [x] }: Node, around: Around): Rewrite | undefined {
  if (kind !== 'transpose' || x === undefined) return undefined;
  const inner = around.definition(x);
  const [source] = inner?.operands ?? [];
  return inner?.kind === 'transpose' && source !== undefined ? { same: source } : undefined;
}

function doubleReshape({ kind, operands: [x] }: Node, around: Around): Rewrite | undefined {
  if (kind !== 'reshape' || x === undefined) return undefined;
  const inner = around.definition(x);
  return inner?.kind === 'reshape' ? { operands: inner.operands } : undefined;
}

function doubleSlice({ kind, operands: [x], attrs }: Node, around: Around): Rewrite | undefined {
  if (kind !== 'slice' || x === undefined) return undefined;
  const inner = around.definition(x);
  if (inner?.kind !== 'slice' || inner.attrs['axis'] !== attrs['axis']) return undefined;
  const start = numberAttr(inner.attrs, 'from');
  const [from, to] = [start + numberAttr(attrs, 'from'), start + numberAttr(attrs, 'to')];
  return { operands: inner.operands, attrs: { ...attrs, from, to } };
}

function singlePart({ kind, operands }: Node): Rewrite | undefined {
  const [x] = operands;
  return kind === 'concat' && operands.length === 1 && x !== undefined ? { same: x } : undefined;
}

function adjacentParts({ kind, operands, attrs }: Node, around: Around): Rewrite | undefined {
  if (kind !== 'concat') return undefined;
  const parts = operands.map((ref) => around.definition(ref));
  const [first] = parts;
  if (first?.kind !== 'slice') return undefined;
  let end = numberAttr(first.attrs, 'from');
  for (const part of parts) {
    const follows =
      part?.kind === 'slice' && part.operands[0] === first.operands[0] && part.attrs['axis'] === attrs['axis'];
    if (!follows || part.attrs['from'] !== end) return undefined;
    end = numberAttr(part.attrs, 'to');
  }
  const { axis = 0, from = 0 } = first.attrs;
  return { kind: 'slice', operands: first.operands, attrs: { axis, from, to: end } };
}

/** Applies rules until none fits: each shortens a chain or moves a constant right, so that this ends. */
function simplify<N extends Node>(node: N, around: Around): N | { readonly same: Ref } {
  for (const rule of rules) {
    const rewrite = rule(node, around);
    if (rewrite === undefined) continue;
    if ('same' in rewrite) return rewrite;
    return simplify({ ...node, ...rewrite }, around);
  }
  return node;
}

function canonicalConsts(network: Network): {
  readonly consts: readonly Const[];
  readonly alias: (ref: Global) => Global;
} {
  const aliases = new Map<Global, Global>();
  const alias = (ref: Global): Global => aliases.get(ref) ?? ref;
  const known = new Map<Ref, Const>();
  const around: Around = { definition: (ref) => known.get(ref), type: (ref) => known.get(ref)?.type };
  const consts = mapSame(network.consts, (constant) => {
    const read = replaceConstReads(constant, alias);
    const simple = simplify(read, around);
    const kept = 'same' in simple ? read : simple;
    if ('same' in simple && isGlobal(simple.same)) aliases.set(constant.name, alias(simple.same));
    known.set(kept.name, kept);
    return kept;
  });
  return { consts, alias };
}

function canonicalRegion(region: Region, consts: ReadonlyMap<Ref, Const>, constAlias: (ref: Global) => Global): Region {
  const aliases = new Map<Ref, Ref>();
  const onGlobal = onGlobals(constAlias);
  const alias = (ref: Ref): Ref => aliases.get(ref) ?? onGlobal(ref);
  const ops = new Map<Ref, Op>();
  const types = new Map(region.params.map(({ name, type }): [Ref, TensorType] => [name, type]));
  const around: Around = {
    definition: (ref) => ops.get(ref) ?? consts.get(ref),
    type: (ref) => types.get(ref) ?? around.definition(ref)?.type,
  };
  for (const op of region.ops) {
    const read = replaceReads(op, alias);
    const simple = simplify(read, around);
    // A region yields a value of its own, never a constant.
    const keeps = 'same' in simple && op.result === region.result && isGlobal(simple.same);
    if ('same' in simple && !keeps) aliases.set(op.result, simple.same);
    ops.set(op.result, 'same' in simple ? read : simple);
  }
  const result = aliases.get(region.result) ?? region.result;
  const changed = region.ops.some((op) => ops.get(op.result) !== op);
  if (!changed && result === region.result) return region;
  return { ...region, ops: [...ops.values()], result: isGlobal(result) ? region.result : result };
}
