/** @file Networks of the reference checkpoints give the logits and residual norms that PyTorch gives. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { loadCheckpoint } from '../../../compiler/frontend/index.ts';
import type { LoadedCheckpoint } from '../../../compiler/frontend/index.ts';
import { createInterpreter } from '../../../ir/interpreter/index.ts';
import type { RunOptions } from '../../../ir/interpreter/index.ts';
import { sharedData } from '../../support/shared.ts';

const TOLERANCE = 3e-4;

interface BlockNorms {
  readonly index: number;
  readonly x_l2: readonly number[];
  readonly f_l2: readonly number[];
  readonly sum_l2: readonly number[];
  readonly out_l2: readonly number[];
}

interface Norms {
  readonly embed_l2: readonly number[];
  readonly blocks: readonly BlockNorms[];
}

interface Sequence extends Norms {
  readonly input_ids: readonly number[];
  readonly logits:
    | { readonly positions: readonly number[]; readonly values: readonly (readonly number[])[] }
    | readonly (readonly number[])[];
}

interface Image extends Norms {
  readonly pixel_values: readonly (readonly (readonly number[])[])[];
  readonly logits: readonly number[];
}

type Expected<Name extends string, Item> = Readonly<Record<Name, readonly Item[]>>;

interface Pretrained {
  readonly runs: readonly {
    readonly prompt_ids: readonly number[];
    readonly greedy_ids: readonly number[];
    readonly last_prompt_logits: {
      readonly top16_ids: readonly number[];
      readonly top16_values: readonly number[];
      readonly l2_norm: number;
    };
  }[];
  readonly blocks_of_run_1: Norms & { readonly input_ids: readonly number[] };
}

describe('families: reference checkpoints', () => {
  for (const model of ['tiny-random/opt-pre', 'tiny-random/gpt2', 'tiny-random/llama-gqa', 'gpt-nano-sort']) {
    it(`${model}: logits and residual norms`, function () {
      const { loaded, expected } = open(this, model);
      const { sequences } = expected as Expected<'sequences', Sequence>;
      const interpreter = createInterpreter(loaded.network, loaded.weights);
      for (const sequence of sequences) {
        const norms = collector();
        const { logits, paths } = interpreter.runTokens(sequence.input_ids, norms.options);
        for (const [position, values] of logitRows(sequence.logits)) {
          close(logits[position], values, `logits at ${position}`);
        }
        compareNorms(norms, sequence);
        assert.ok(paths.every((path) => path.length === loaded.network.blocks.length));
      }
      loaded.checkpoint.close();
    });
  }

  it('tiny-random/vit: logits and residual norms', function () {
    const { loaded, expected } = open(this, 'tiny-random/vit');
    const { images } = expected as Expected<'images', Image>;
    const interpreter = createInterpreter(loaded.network, loaded.weights);
    for (const image of images) {
      const norms = collector();
      const { logits } = interpreter.runImage(Float32Array.from(image.pixel_values.flat(2)), norms.options);
      close(logits[0], image.logits, 'logits');
      compareNorms(norms, image);
    }
    loaded.checkpoint.close();
  });

  it('stories260k: logits after the prompts, residual norms, the next greedy token', function () {
    const { loaded, expected } = open(this, 'stories260k');
    const { runs, blocks_of_run_1 } = expected as Pretrained;
    const interpreter = createInterpreter(loaded.network, loaded.weights);
    for (const { prompt_ids, greedy_ids, last_prompt_logits } of runs) {
      const last = interpreter.runTokens(prompt_ids).logits.at(-1) ?? new Float32Array();
      close(
        last_prompt_logits.top16_ids.map((id) => last[id] ?? NaN),
        last_prompt_logits.top16_values,
        'logits',
      );
      close([Math.hypot(...last)], [last_prompt_logits.l2_norm], 'norm of the logits');
      assert.equal(last.indexOf(Math.max(...last)), greedy_ids[0]);
    }
    const norms = collector();
    interpreter.runTokens(blocks_of_run_1.input_ids, norms.options);
    compareNorms(norms, blocks_of_run_1);
    loaded.checkpoint.close();
  });

  it('a smaller context gives the same logits from smaller tables', function () {
    const { loaded, expected } = open(this, 'tiny-random/opt-pre');
    const { sequences } = expected as Expected<'sequences', Sequence>;
    const path = sharedData('tiny-random/opt-pre') ?? '';
    const small = loadCheckpoint(path, { context: 24 });
    const ids = sequences[0]?.input_ids ?? [];
    const rows = createInterpreter(small.network, small.weights).runTokens(ids).logits;
    assert.equal(small.network.context, 24);
    assert.deepEqual(rows, createInterpreter(loaded.network, loaded.weights).runTokens(ids).logits);
    small.checkpoint.close();
    loaded.checkpoint.close();
  });
});

function open(test: Mocha.Context, model: string): { loaded: LoadedCheckpoint; expected: unknown } {
  const path = sharedData(model);
  if (path === undefined) test.skip();
  const expected: unknown = JSON.parse(readFileSync(`${path}/expected.json`, 'utf8'));
  return { loaded: loadCheckpoint(path), expected };
}

function logitRows(logits: Sequence['logits']): readonly (readonly [number, readonly number[]])[] {
  if (!('positions' in logits)) return logits.map((row, position) => [position, row]);
  return logits.positions.map((position, i) => [position, logits.values[i] ?? []]);
}

type Field = 'x_l2' | 'f_l2' | 'sum_l2' | 'out_l2';
const FIELDS: readonly Field[] = ['x_l2', 'f_l2', 'sum_l2', 'out_l2'];

interface Collector {
  readonly options: RunOptions;
  readonly embedded: number[];
  readonly blocks: Map<string, number[]>;
}

function collector(): Collector {
  const embedded: number[] = [];
  const blocks = new Map<string, number[]>();
  const record = (block: number, field: Field, position: number, vector: Float32Array): void => {
    const key = `${block} ${field}`;
    const list = blocks.get(key) ?? [];
    list[position] = Math.hypot(...vector);
    blocks.set(key, list);
  };
  const options: RunOptions = {
    onEntry: (position, x) => {
      embedded[position] = Math.hypot(...x);
    },
    onBlock: ({ block, position, x, f, out }) => {
      record(block, 'x_l2', position, x);
      record(block, 'f_l2', position, f);
      record(
        block,
        'sum_l2',
        position,
        x.map((value, i) => value + (f[i] ?? NaN)),
      );
      record(block, 'out_l2', position, out);
    },
  };
  return { options, embedded, blocks };
}

function compareNorms(found: Collector, expected: Norms): void {
  close(found.embedded, expected.embed_l2, 'embed_l2');
  for (const block of expected.blocks) {
    for (const field of FIELDS) {
      close(found.blocks.get(`${block.index} ${field}`), block[field], `block ${block.index} ${field}`);
    }
  }
}

function close(values: ArrayLike<number> | undefined, expected: readonly number[], what: string): void {
  const found = values ?? [];
  assert.equal(found.length, expected.length, what);
  expected.forEach((value, i) => {
    const error = Math.abs((found[i] ?? NaN) - value);
    assert.ok(error <= TOLERANCE, `${what}[${i}]: ${found[i]}, expected ${value}`);
  });
}
