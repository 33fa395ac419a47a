/** @file The 350M form of OPT and its other options, against a forward pass written out in double precision. */
import assert from 'node:assert/strict';
import { buildNetwork } from '../../../compiler/frontend/families/index.ts';
import { createInterpreter } from '../../../ir/interpreter/index.ts';
import { configOf, inventedTensors, sourceOf, tinyOpt } from './support.ts';
import type { InventedTensor } from './support.ts';

type Row = readonly number[];
type Tensors = ReadonlyMap<string, InventedTensor>;

interface Variant {
  readonly preNorm: boolean;
  readonly finalNorm: boolean;
  readonly heads: number;
  readonly layers: number;
}

const ids = [3, 30, 0, 7, 7];

describe('families: forms of OPT', () => {
  it('350M: norms after the sum, no last norm, projections of the embedding', () => {
    compare({ ...tinyOpt, do_layer_norm_before: false, word_embed_proj_dim: 8 }, { preNorm: false, finalNorm: false });
  });

  it('projections with norms before the branch', () => {
    compare({ ...tinyOpt, word_embed_proj_dim: 8 }, { preNorm: true, finalNorm: true });
  });

  it('_remove_final_layer_norm', () => {
    compare({ ...tinyOpt, _remove_final_layer_norm: true }, { preNorm: true, finalNorm: false });
  });

  it('norms and linear maps without tensors of their own', () => {
    const fields = { ...tinyOpt, enable_bias: false, layer_norm_elementwise_affine: false };
    compare(fields, { preNorm: true, finalNorm: true });
    const names = [...inventedTensors(configOf(fields)).keys()];
    assert.ok(
      names.every((name) => !name.endsWith('.bias') && !name.includes('norm')),
      names.join(),
    );
  });

  it('a head of its own', () => {
    compare({ ...tinyOpt, tie_word_embeddings: false, word_embed_proj_dim: 8 }, { preNorm: true, finalNorm: true });
  });
});

function compare(fields: Parameters<typeof configOf>[0], form: Pick<Variant, 'preNorm' | 'finalNorm'>): void {
  const config = configOf(fields);
  const tensors = inventedTensors(config);
  const source = sourceOf(tensors);
  const network = buildNetwork(config, source, { name: 'opt' });
  const { logits } = createInterpreter(network, source).runTokens(ids);
  const expected = forward(tensors, { ...form, heads: config.heads, layers: config.layers });
  logits.forEach((row, t) => {
    const error = Math.max(...row.map((value, i) => Math.abs(value - (expected[t]?.[i] ?? NaN))));
    assert.ok(error <= 3e-5, `position ${t}: off by ${error}`);
  });
}

/** OPT as its paper and its published code have it: logits of `ids`. */
function forward(tensors: Tensors, { preNorm, finalNorm, heads, layers }: Variant): readonly Row[] {
  const embedding = matrix(tensors, 'embed_tokens.weight');
  const positions = matrix(tensors, 'embed_positions.weight');
  let x: readonly Row[] = ids.map((id, t) =>
    add(project(tensors, 'project_in', embedding[id] ?? []), positions[t + 2] ?? []),
  );
  for (let l = 0; l < layers; l++) {
    const at = `layers.${l}`;
    x = branch(x, `${at}.self_attn_layer_norm`, (rows) => attention(tensors, `${at}.self_attn`, rows, heads));
    x = branch(x, `${at}.final_layer_norm`, (rows) =>
      rows.map((row) =>
        linear(
          tensors,
          `${at}.fc2`,
          linear(tensors, `${at}.fc1`, row).map((value) => Math.max(0, value)),
        ),
      ),
    );
  }
  const last = finalNorm ? x.map((row) => layerNorm(tensors, 'final_layer_norm', row)) : x;
  const head = tensors.has('lm_head.weight') ? matrix(tensors, 'lm_head.weight', '') : embedding;
  return last.map((row) => times(head, project(tensors, 'project_out', row)));

  function branch(rows: readonly Row[], norm: string, f: (rows: readonly Row[]) => readonly Row[]): readonly Row[] {
    const normed = (list: readonly Row[]): readonly Row[] => list.map((row) => layerNorm(tensors, norm, row));
    const added = f(preNorm ? normed(rows) : rows).map((row, t) => add(rows[t] ?? [], row));
    return preNorm ? added : normed(added);
  }
}

function attention(tensors: Tensors, at: string, x: readonly Row[], heads: number): readonly Row[] {
  const [q, k, v] = ['q_proj', 'k_proj', 'v_proj'].map((name) =>
    x.map((row) => linear(tensors, `${at}.${name}`, row)),
  ) as [Row[], Row[], Row[]];
  const size = (x[0]?.length ?? 0) / heads;
  return x.map((_, t) => {
    const mixed = Array.from({ length: heads }, (_, h) => {
      const part = (row: Row | undefined): Row => (row ?? []).slice(h * size, (h + 1) * size);
      const scores = k.slice(0, t + 1).map((key) => Math.exp(dot(part(q[t]), part(key)) * size ** -0.5));
      const total = scores.reduce((a, b) => a + b);
      return scores
        .map((score, s) => part(v[s]).map((value) => (value * score) / total))
        .reduce<Row>(add, new Array<number>(size).fill(0));
    }).flat();
    return linear(tensors, `${at}.out_proj`, mixed);
  });
}

function layerNorm(tensors: Tensors, name: string, x: Row): Row {
  const mean = x.reduce((a, b) => a + b) / x.length;
  const variance = x.reduce((sum, value) => sum + (value - mean) ** 2, 0) / x.length;
  const [gain, shift] = [vector(tensors, `${name}.weight`), vector(tensors, `${name}.bias`)];
  return x.map((value, i) => ((value - mean) / Math.sqrt(variance + 1e-5)) * (gain?.[i] ?? 1) + (shift?.[i] ?? 0));
}

function linear(tensors: Tensors, name: string, x: Row): Row {
  const bias = vector(tensors, `${name}.bias`);
  return times(matrix(tensors, `${name}.weight`), x).map((value, i) => value + (bias?.[i] ?? 0));
}

/** A projection at one of the ends; the identity where the model has none. */
function project(tensors: Tensors, name: string, x: Row): Row {
  return tensors.has(`model.decoder.${name}.weight`) ? linear(tensors, name, x) : x;
}

function matrix(tensors: Tensors, name: string, prefix = 'model.decoder.'): readonly Row[] {
  const { shape, data } = tensors.get(`${prefix}${name}`) ?? assert.fail(name);
  const [rows = 0, columns = 0] = shape;
  return Array.from({ length: rows }, (_, r) => [...data.subarray(r * columns, (r + 1) * columns)]);
}

function vector(tensors: Tensors, name: string): Row | undefined {
  const found = tensors.get(`model.decoder.${name}`);
  return found === undefined ? undefined : [...found.data];
}

function times(rows: readonly Row[], x: Row): Row {
  return rows.map((row) => dot(row, x));
}

function dot(a: Row, b: Row): number {
  assert.equal(a.length, b.length);
  return a.reduce((sum, value, i) => sum + value * (b[i] ?? NaN), 0);
}

function add(a: Row, b: Row): Row {
  return a.map((value, i) => value + (b[i] ?? NaN));
}
