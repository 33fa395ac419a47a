/** @file Options of the families that show in the network rather than in the reference checkpoints. */
import assert from 'node:assert/strict';
import { buildNetwork } from '../../../compiler/frontend/families/index.ts';
import { ropeFrequencies } from '../../../compiler/frontend/families/rope.ts';
import type { JsonObject } from '../../../compiler/frontend/json.ts';
import { regions } from '../../../ir/network.ts';
import { verifyNetwork } from '../../../ir/verify/network.ts';
import type { Network, Op } from '../../../ir/types.ts';
import { configOf, shapesFor, shapesOnly, tinyGpt2, tinyLlama, tinyOpt, tinyVit } from './support.ts';

describe('families: the network', () => {
  it('is valid', () => {
    const small = { do_layer_norm_before: false, word_embed_proj_dim: 8, enable_bias: false };
    const untied = { tie_word_embeddings: false, attention_bias: true, mlp_bias: true };
    for (const fields of [
      tinyOpt,
      { ...tinyOpt, ...small },
      tinyGpt2,
      tinyLlama,
      { ...tinyLlama, ...untied },
      tinyVit,
    ]) {
      assert.deepEqual(verifyNetwork(build(fields)), []);
    }
  });

  it('is a chain of attention and MLP blocks', () => {
    for (const fields of [tinyOpt, tinyGpt2, tinyLlama, tinyVit]) {
      const network = build(fields);
      assert.deepEqual(network.routing, { kv: 'absent', revisit: 'overwrite', maxHops: 4 });
      assert.deepEqual(network.entry.edge, { router: null, successors: [0] });
      assert.deepEqual(
        network.blocks.map(({ id, role, edge }) => [id, role, edge.router, edge.successors]),
        [
          [0, 'attention', null, [1]],
          [1, 'mlp', null, [2]],
          [2, 'attention', null, [3]],
          [3, 'mlp', null, ['exit']],
        ],
      );
    }
  });

  it('uses every constant, and each only those above it', () => {
    for (const fields of [
      tinyOpt,
      tinyGpt2,
      tinyLlama,
      tinyVit,
      { ...tinyOpt, layer_norm_elementwise_affine: false },
    ]) {
      const network = build(fields);
      const above = new Set<string>();
      const used = new Set<string>(
        regions(network).flatMap(({ ops }) =>
          ops.flatMap(({ operands, extras }) => [...operands, ...Object.values(extras)]),
        ),
      );
      for (const { name, operands } of network.consts) {
        assert.ok(
          operands.every((operand) => above.has(operand)),
          name,
        );
        above.add(name);
        for (const operand of operands) used.add(operand);
      }
      for (const name of above) assert.ok(used.has(name), name);
    }
  });
});

describe('families: options', () => {
  it('GPT-2: the scale of attention', () => {
    const scales = (options: JsonObject): readonly unknown[] =>
      ops({ ...tinyGpt2, ...options }, 'attention').map(({ attrs }) => attrs['scale']);
    assert.deepEqual(scales({}), [0.5, 0.5]);
    assert.deepEqual(scales({ scale_attn_weights: false }), [1, 1]);
    assert.deepEqual(scales({ scale_attn_by_inverse_layer_idx: true }), [0.5, 0.25]);
    assert.deepEqual(scales({ scale_attn_by_inverse_layer_idx: true, scale_attn_weights: false }), [1, 0.5]);
  });

  it('GPT-2: the MLP is four times as wide where n_inner is left out', () => {
    const shapes = shapesFor(configOf({ ...tinyGpt2, n_inner: null }));
    assert.deepEqual(shapes.get('transformer.h.0.mlp.c_fc.weight'), [12, 48]);
  });

  it('Llama: biases of attention and of the MLP', () => {
    const biases = (options: JsonObject): readonly boolean[] =>
      ops({ ...tinyLlama, ...options }, 'linear').map(({ extras }) => 'bias' in extras);
    const [no, yes] = [false, true];
    const layers = (layer: readonly boolean[]): readonly boolean[] => [...layer, ...layer, no];
    assert.deepEqual(biases({}), layers([no, no, no, no, no, no, no]));
    assert.deepEqual(biases({ attention_bias: true }), layers([yes, yes, yes, yes, no, no, no]));
    assert.deepEqual(biases({ mlp_bias: true }), layers([no, no, no, no, yes, yes, yes]));
  });

  it('Llama: heads whose widths do not add up to the hidden size', () => {
    const options = { ...tinyLlama, head_dim: 6 };
    assert.deepEqual(shapesFor(configOf(options)).get('model.layers.0.self_attn.o_proj.weight'), [12, 18]);
    const [attention] = ops(options, 'attention');
    assert.deepEqual(attention?.attrs, { heads: 3, kv_heads: 1, scale: 1 / Math.sqrt(6), causal: true });
  });

  it('ViT: query, key and value without bias', () => {
    const biases = ops({ ...tinyVit, qkv_bias: false }, 'linear').map(({ extras }) => 'bias' in extras);
    const layer = [false, false, false, true, true, true];
    assert.deepEqual(biases, [true, ...layer, ...layer, true]);
  });

  it('activations', () => {
    assert.equal(ops({ ...tinyOpt, activation_function: 'gelu' }, 'gelu').length, 2);
    assert.equal(ops({ ...tinyGpt2, activation_function: 'relu' }, 'relu').length, 2);
    assert.equal(ops(tinyGpt2, 'gelu_tanh').length, 2);
    assert.equal(ops(tinyLlama, 'silu').length, 2);
    assert.equal(ops(tinyVit, 'gelu').length, 2);
  });
});

describe('families: rotary frequencies', () => {
  it('fall from 1 by powers of theta', () => {
    near(ropeFrequencies({ headDim: 8, ropeTheta: 10000, ropeScaling: { kind: 'none' } }), [1, 0.1, 0.01, 0.001]);
  });

  it('and the angles they give are normal numbers of 32 bits, however odd the config that is taken', () => {
    const bands = { low_freq_factor: 1e-6, high_freq_factor: 1e6, original_max_position_embeddings: 2 ** 24 };
    for (const rope_theta of [1e-6, 1, 1e30]) {
      for (const rope_scaling of [1e-6, 1e6].flatMap((factor) => [
        { type: 'linear', factor },
        { type: 'llama3', factor, ...bands },
      ])) {
        const config = configOf({ ...tinyLlama, rope_theta, rope_scaling });
        assert.ok(config.family === 'llama');
        for (const frequency of ropeFrequencies({ ...config, headDim: 2 ** 12 })) {
          assert.ok(frequency >= 2 ** -126 && Number.isFinite(Math.fround(frequency * 2 ** 24)), String(frequency));
        }
      }
    }
  });

  it('linear scaling divides them', () => {
    near(
      ropeFrequencies({ headDim: 8, ropeTheta: 10000, ropeScaling: { kind: 'linear', factor: 4 } }),
      [0.25, 0.025, 0.0025, 0.00025],
    );
  });

  it('llama3 scaling keeps short waves, stretches long ones and blends between', () => {
    const scaling = {
      kind: 'llama3',
      factor: 8,
      lowFreqFactor: 1,
      highFreqFactor: 4,
      originalMaxPositions: 8192,
    } as const;
    const plain = ropeFrequencies({ headDim: 128, ropeTheta: 500000, ropeScaling: { kind: 'none' } });
    const found = ropeFrequencies({ headDim: 128, ropeTheta: 500000, ropeScaling: scaling });
    const kinds = { kept: 0, blended: 0, stretched: 0 };
    // In terms of wavelengths, as the formula was published.
    const expected = plain.map((frequency) => {
      const wave = (2 * Math.PI) / frequency;
      if (wave < 8192 / 4) return (kinds.kept++, frequency);
      if (wave > 8192) return (kinds.stretched++, frequency / 8);
      const smooth = (8192 / wave - 1) / (4 - 1);
      return (kinds.blended++, (1 - smooth) * (frequency / 8) + smooth * frequency);
    });
    near(found, expected);
    assert.deepEqual(kinds, { kept: 29, blended: 6, stretched: 29 });
  });
});

function build(fields: JsonObject): Network {
  const config = configOf(fields);
  return buildNetwork(config, shapesOnly(shapesFor(config)), { name: 'm' });
}

/** The network's ops of one kind, in order. */
function ops(fields: JsonObject, kind: Op['kind']): readonly Op[] {
  return regions(build(fields)).flatMap((region) => region.ops.filter((op) => op.kind === kind));
}

function near(found: readonly number[], expected: readonly number[]): void {
  assert.equal(found.length, expected.length);
  expected.forEach((value, i) => {
    assert.ok(Math.abs((found[i] ?? NaN) / value - 1) < 1e-12, `${found[i]}, expected ${value}`);
  });
}
