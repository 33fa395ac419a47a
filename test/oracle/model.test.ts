/**
 * @file Whole models: TensorFlow.js, from the checkpoint's tensors, against the interpreter and the compiled program, on the
 * sequential way and on random routes under every KV policy.
 */
import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs-core';
import { loadCheckpoint } from '../../compiler/frontend/index.ts';
import { createInterpreter } from '../../ir/interpreter/index.ts';
import type { Tensor } from '../../ir/interpreter/index.ts';
import { normals } from '../../ir/random.ts';
import type { KvPolicy } from '../../ir/types.ts';
import { passesNamed, runPasses } from '../../passes/index.ts';
import type { OptimisationLevel } from '../../passes/index.ts';
import type { ForwardOptions, RadialModel } from '../../runtime/index.ts';
import { Draw } from '../support/draw.ts';
import { createCheckpoint } from './support/checkpoints.ts';
import type { TestCheckpoint } from './support/checkpoints.ts';
import { withCompiled } from './support/compiled.ts';
import { assertWithin, computed, startTensorFlow } from './support/tf.ts';
import { gpt2, llama, opt, vit } from './support/transformers.ts';
import { logitsOf } from './support/walk.ts';
import type { Routed, Transformer } from './support/walk.ts';

const TOLERANCE = 3e-4;
const TOKENS = 11;
/** Does not divide the sequence, so that prefill has a last chunk that is not full. */
const CHUNK = 4;

const text = { vocab_size: 29, bos_token_id: 0, eos_token_id: 0 };
const sizes = { hidden_size: 24, num_hidden_layers: 2, num_attention_heads: 4 };
const heads = { num_key_value_heads: 2, head_dim: 6, rms_norm_eps: 1e-5, rope_theta: 10000 };

const optPre = {
  model_type: 'opt',
  ...text,
  ...sizes,
  ffn_dim: 40,
  max_position_embeddings: 16,
  word_embed_proj_dim: 24,
  do_layer_norm_before: true,
} as const;
const optPost = {
  ...optPre,
  do_layer_norm_before: false,
  word_embed_proj_dim: 10,
  tie_word_embeddings: false,
} as const;
const gpt = {
  model_type: 'gpt2',
  ...text,
  n_embd: 24,
  n_layer: 3,
  n_head: 3,
  n_inner: 40,
  n_positions: 16,
  layer_norm_epsilon: 1e-5,
} as const;
const gptScaled = { ...gpt, scale_attn_by_inverse_layer_idx: true } as const;
const gqa = {
  model_type: 'llama',
  ...text,
  ...sizes,
  ...heads,
  intermediate_size: 40,
  max_position_embeddings: 16,
} as const;
const llama3 = {
  ...gqa,
  num_key_value_heads: 1,
  // 32 columns of heads for 24 of the hidden state; two pairs turn fast, one between, one slowly.
  head_dim: 8,
  rope_theta: 200,
  attention_bias: true,
  mlp_bias: true,
  tie_word_embeddings: true,
  rope_scaling: {
    rope_type: 'llama3',
    factor: 8,
    low_freq_factor: 1,
    high_freq_factor: 4,
    original_max_position_embeddings: 60,
  },
} as const;
const image = {
  model_type: 'vit',
  ...sizes,
  intermediate_size: 40,
  image_size: 12,
  patch_size: 4,
  num_channels: 3,
  num_labels: 7,
  layer_norm_eps: 1e-12,
} as const;
const imageBare = { ...image, qkv_bias: false, patch_size: 3, num_channels: 1 } as const;

type Config =
  typeof optPre | typeof optPost | typeof gpt | typeof gqa | typeof llama3 | typeof image | typeof imageBare;

const models: Readonly<Record<string, Config>> = {
  'OPT, pre-norm': optPre,
  'OPT, post-norm with projections': optPost,
  'GPT-2': gpt,
  'GPT-2, scores scaled by layer': gptScaled,
  'Llama, grouped heads': gqa,
  'Llama 3, one KV head, biases': llama3,
  ViT: image,
  'ViT without biases of q, k and v': imageBare,
};

Object.entries(models).forEach(([name, config], number) => {
  const seed = 1000 * (number + 1);
  const input = inputOf(config, seed);

  describe(`oracle: ${name} (seed ${seed})`, () => {
    let checkpoint: TestCheckpoint;
    before(startTensorFlow);
    before(async () => {
      checkpoint = await createCheckpoint(config, seed);
    });
    after(() => {
      checkpoint.remove();
    });
    const expected = (routed?: Routed): Tensor =>
      computed(() => logitsOf(transformer(config, checkpoint.weights, input), routed));

    it('the sequential way in the interpreter', () => {
      compare(interpreted(checkpoint.dir, input), expected(), 'logits');
    });

    for (const optLevel of ['O0', 'O2'] as const) {
      it(`the sequential way compiled with ${optLevel}`, async () => {
        await withCompiled({ input: checkpoint.dir, optLevel, chunk: CHUNK }, async (model) => {
          for (const mode of modesOf(input)) compare(await run(model, input, { mode }), expected(), mode);
        });
      });
    }

    for (const kv of ['absent', 'project', 'latest'] as const) {
      it(`a random route under ${kv}, interpreted and compiled`, async () => {
        const routed = { kv, mask: randomMask(new Draw(seed + 1), 2 * layersOf(config), rowsOf(config)) };
        const logits = expected(routed);
        assert.ok(differ(logits, expected()), 'the route does not matter');
        compare(interpreted(checkpoint.dir, input, routed), logits, 'interpreter');
        await withCompiled(requestOf(checkpoint.dir, kv, 'O2'), async (model) => {
          for (const mode of modesOf(input)) {
            compare(await run(model, input, { mode, route: { mask: routed.mask } }), logits, mode);
          }
        });
      });
    }
  });
});

type Input =
  { readonly ids: readonly number[] } | { readonly pixels: Float32Array; readonly shape: [number, number, number] };

function inputOf(config: Config, seed: number): Input {
  if (config.model_type !== 'vit') {
    const draw = new Draw(seed);
    return { ids: Array.from({ length: TOKENS }, () => draw.int(0, config.vocab_size - 1)) };
  }
  const { num_channels, image_size } = config;
  const shape: [number, number, number] = [num_channels, image_size, image_size];
  return { pixels: normals(num_channels * image_size ** 2, seed, 0, 1), shape };
}

function transformer(config: Config, weights: TestCheckpoint['weights'], input: Input): Transformer {
  const values = 'ids' in input ? tf.tensor1d([...input.ids], 'int32') : tf.tensor(input.pixels, input.shape);
  switch (config.model_type) {
    case 'opt':
      return opt(config, weights, values);
    case 'gpt2':
      return gpt2(config, weights, values);
    case 'llama':
      return llama(config, weights, values);
    case 'vit':
      return vit(config, weights, values);
  }
}

function layersOf(config: Config): number {
  return config.model_type === 'gpt2' ? config.n_layer : config.num_hidden_layers;
}

function rowsOf(config: Config): number {
  return config.model_type === 'vit' ? 1 + (config.image_size / config.patch_size) ** 2 : TOKENS;
}

/** [block][token]; each token takes most blocks. */
function randomMask(draw: Draw, blocks: number, tokens: number): readonly (readonly number[])[] {
  return Array.from({ length: blocks }, () => Array.from({ length: tokens }, () => Number(draw.chance(0.6))));
}

function requestOf(input: string, kv: KvPolicy, optLevel: OptimisationLevel) {
  return { input, route: 'external', kv, optLevel, chunk: CHUNK } as const;
}

function interpreted(dir: string, input: Input, routed?: Routed): readonly Float32Array[] {
  const { network, weights, checkpoint } = loadCheckpoint(dir);
  const options = routed === undefined ? {} : { route: 'external' as const, kv: routed.kv };
  const { module } = runPasses(network, passesNamed(['radialize']), { options });
  if (module.stage !== 'network') throw new Error('radialize gives a network');
  const interpreter = createInterpreter(module, weights);
  const walks = routed?.mask[0]?.map((_, token) =>
    routed.mask.flatMap((row, block) => (row[token] === 1 ? [block] : [])),
  );
  const run = walks === undefined ? {} : { walks };
  const { logits } = 'ids' in input ? interpreter.runTokens(input.ids, run) : interpreter.runImage(input.pixels, run);
  checkpoint.close();
  return logits;
}

function modesOf(input: Input): readonly ('prefill' | 'decode')[] {
  return 'ids' in input ? ['prefill', 'decode'] : ['prefill'];
}

async function run(model: RadialModel, input: Input, options: ForwardOptions): Promise<readonly Float32Array[]> {
  const given = 'ids' in input ? input.ids : { pixelValues: input.pixels };
  return (await model.forward(given, options)).logits;
}

function compare(found: readonly Float32Array[], expected: Tensor, what: string): void {
  const [rows = 0, outputs = 0] = expected.shape;
  assert.equal(found.length, rows, `${what}: rows`);
  found.forEach((row, r) => {
    assertWithin(row, expected.data.subarray(r * outputs, (r + 1) * outputs), TOLERANCE, `${what}, position ${r}`);
  });
}

/** By more than two computations of the same logits may. */
function differ(a: Tensor, b: Tensor): boolean {
  return a.data.some((value: number, i: number) => Math.abs(value - (b.data[i] ?? NaN)) > 10 * TOLERANCE);
}
