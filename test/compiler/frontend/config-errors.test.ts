/** @file config.json: what is refused, with which code and at which place. */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { readConfig } from '../../../compiler/frontend/config/read-config.ts';
import type { ModelConfig } from '../../../compiler/frontend/config/types.ts';
import { parseJson } from '../../../compiler/frontend/json.ts';
import { RadialError } from '../../../ir/diagnostics/diagnostic.ts';
import { assertHelpful, failsWith } from './support.ts';

type Code = Parameters<typeof failsWith>[0];

const read = (fields: unknown): ModelConfig =>
  readConfig(parseJson(Buffer.from(JSON.stringify(fields, null, 1)), 'config.json'));

describe('config.json, what is refused', () => {
  const refuses = (code: Code, fields: unknown, field: string, text: RegExp, help = /./) => {
    const found = failsWith(code, () => read(fields));
    assert.equal(found.place?.subject, field === '' ? undefined : `field "${field}"`);
    assert.equal(found.place?.file, 'config.json');
    assert.ok((found.place.line ?? 0) >= 1);
    assert.match(found.message, text);
    assert.match(found.help ?? '', help);
  };

  it('RC0202: a configuration that is no object', () => {
    refuses('RC0202', [], '', /found \[\]/);
    refuses('RC0202', null, '', /found null/);
  });

  it('RC0203: families, with a suggestion', () => {
    refuses('RC0203', {}, 'model_type', /found nothing/, /opt, gpt2, llama, vit/);
    refuses('RC0203', { model_type: 'lama' }, 'model_type', /"lama" is not supported/, /did you mean "llama"/);
    refuses('RC0203', { model_type: 'constructor' }, 'model_type', /not supported/);
    refuses('RC0203', { model_type: 7 }, 'model_type', /found 7/);
    refuses('RC0203', { model_type: 'x'.repeat(1_000_000) }, 'model_type', /not supported/);
  });

  const sizes: readonly unknown[] = [0, -1, 1.5, '64', null, true, [64], 1e9, 2 ** 53];
  for (const [family, field] of [
    ['opt', 'hidden_size'],
    ['opt', 'ffn_dim'],
    ['gpt2', 'n_layer'],
    ['gpt2', 'vocab_size'],
    ['llama', 'num_attention_heads'],
    ['llama', 'max_position_embeddings'],
    ['vit', 'image_size'],
    ['vit', 'patch_size'],
  ] as const) {
    it(`RC0204: ${family}.${field} that is no size`, () => {
      for (const value of sizes) refuses('RC0204', { model_type: family, [field]: value }, field, /must be/);
    });
  }

  for (const [fields, field] of [
    [{ model_type: 'llama', rms_norm_eps: -1 }, 'rms_norm_eps'],
    [{ model_type: 'llama', rms_norm_eps: 'NaN' }, 'rms_norm_eps'],
    [{ model_type: 'llama', rope_theta: 0 }, 'rope_theta'],
    [{ model_type: 'llama', rope_theta: -1 }, 'rope_theta'],
    [{ model_type: 'llama', rope_theta: 1e-300 }, 'rope_theta'],
    [{ model_type: 'llama', rope_theta: 1e300 }, 'rope_theta'],
    [{ model_type: 'llama', tie_word_embeddings: 1 }, 'tie_word_embeddings'],
    [{ model_type: 'llama', hidden_act: null }, 'hidden_act'],
    [{ model_type: 'llama', eos_token_id: 'x' }, 'eos_token_id'],
    [{ model_type: 'llama', rope_scaling: 'linear' }, 'rope_scaling'],
    [{ model_type: 'llama', rope_scaling: { type: 'linear' } }, 'rope_scaling.factor'],
    [{ model_type: 'llama', rope_scaling: { type: 'linear', factor: 0 } }, 'rope_scaling.factor'],
    [{ model_type: 'llama', rope_scaling: { type: 'linear', factor: 1e-308 } }, 'rope_scaling.factor'],
    [{ model_type: 'llama', rope_scaling: { type: 'linear', factor: 1e308 } }, 'rope_scaling.factor'],
    [{ model_type: 'llama', rope_parameters: { rope_theta: 0 } }, 'rope_parameters.rope_theta'],
    [{ model_type: 'llama', rope_parameters: { rope_theta: 1e-300 } }, 'rope_parameters.rope_theta'],
    [{ model_type: 'vit', image_size: [32, 64] }, 'image_size'],
    [{ model_type: 'vit', num_labels: 0 }, 'num_labels'],
    [{ model_type: 'vit', id2label: {} }, 'id2label'],
    [{ model_type: 'vit', id2label: ['a'] }, 'id2label'],
    [{ model_type: 'vit', id2label: { 0: 'a', 2: 'c' } }, 'id2label'],
    [{ model_type: 'vit', id2label: { 0: 1 } }, 'id2label'],
  ] as const) {
    it(`RC0204: ${JSON.stringify(fields)}`, () => {
      refuses('RC0204', fields, field, /./);
    });
  }

  it('RC0204: all bad fields at once, each with its line', () => {
    try {
      read({ model_type: 'opt', hidden_size: 0, ffn_dim: 'x' });
    } catch (error) {
      assert.ok(error instanceof RadialError);
      assert.deepEqual(
        error.diagnostics.map(({ code, place }) => [code, place?.line, place?.column]),
        [
          ['RC0204', 3, 17],
          ['RC0204', 4, 13],
        ],
      );
      assert.match(error.message, /hidden_size must be an integer from 1 to 16777216, found 0/);
      return;
    }
    assert.fail('nothing was wrong');
  });

  for (const [fields, field, text] of [
    [{ model_type: 'opt', num_attention_heads: 7 }, 'num_attention_heads', /7 does not divide hidden_size 768/],
    [{ model_type: 'gpt2', n_head: 5 }, 'n_head', /5 does not divide n_embd 768/],
    [{ model_type: 'llama', num_attention_heads: 7 }, 'num_attention_heads', /does not divide hidden_size/],
    [
      { model_type: 'llama', num_key_value_heads: 5 },
      'num_key_value_heads',
      /5 does not divide num_attention_heads 32/,
    ],
    [{ model_type: 'llama', num_key_value_heads: 64 }, 'num_key_value_heads', /64 does not divide/],
    [{ model_type: 'llama', head_dim: 7 }, 'head_dim', /even head_dim, found 7/],
    [{ model_type: 'vit', patch_size: 15 }, 'patch_size', /15 does not divide image_size 224/],
    [{ model_type: 'vit', patch_size: 1, image_size: 16384 }, 'patch_size', /patches/],
    [{ model_type: 'gpt2', n_embd: 40, n_head: 5, hidden_size: 80 }, 'hidden_size', /hidden_size 80 .* n_embd 40/],
    [{ model_type: 'gpt2', n_head: 4, num_attention_heads: 8 }, 'num_attention_heads', /n_head 4/],
    [{ model_type: 'gpt2', n_layer: 2, num_hidden_layers: 1 }, 'num_hidden_layers', /n_layer 2/],
    [{ model_type: 'gpt2', n_positions: 23, max_position_embeddings: 24 }, 'max_position_embeddings', /n_positions 23/],
    [{ model_type: 'gpt2', num_attention_heads: 5 }, 'num_attention_heads', /5 does not divide n_embd 768/],
  ] as const) {
    it(`RC0205: ${JSON.stringify(fields)}`, () => {
      refuses('RC0205', fields, field, text);
    });
  }

  it('RC0205: llama3 frequencies that are not in order', () => {
    const rope = {
      rope_type: 'llama3',
      factor: 8,
      low_freq_factor: 4,
      high_freq_factor: 4,
      original_max_position_embeddings: 8,
    };
    refuses('RC0205', { model_type: 'llama', rope_scaling: rope }, 'rope_scaling.high_freq_factor', /not above/);
  });

  const llama3 = { factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 64 };
  const twice = { rope_type: 'linear', factor: 2 };
  for (const [fields, field, text] of [
    [{ rope_scaling: { ...twice, type: 'dynamic' } }, 'rope_scaling.type', /"dynamic" contradicts rope_type "linear"/],
    [
      { rope_scaling: { rope_type: 'default', type: 'linear' } },
      'rope_scaling.type',
      /contradicts rope_type "default"/,
    ],
    [{ rope_scaling: twice, rope_parameters: { rope_theta: 10000 } }, 'rope_scaling', /contradicts rope_parameters/],
    [{ rope_scaling: twice, rope_parameters: { ...twice, factor: 4 } }, 'rope_scaling', /contradicts rope_parameters/],
    [{ rope_theta: 7, rope_parameters: { rope_theta: 8 } }, 'rope_parameters.rope_theta', /8 contradicts .* 7/],
    [
      { rope_scaling: { ...twice, rope_theta: 9 }, rope_parameters: { ...twice, rope_theta: 8 } },
      'rope_scaling.rope_theta',
      /9 contradicts .* 8/,
    ],
    [
      { original_max_position_embeddings: 8, rope_scaling: { rope_type: 'llama3', ...llama3 } },
      'original_max_position_embeddings',
      /8 contradicts rope_scaling\.original_max_position_embeddings 64/,
    ],
  ] as const) {
    it(`RC0205: ${JSON.stringify(fields)}`, () => {
      refuses('RC0205', { model_type: 'llama', ...fields }, field, text, /remove the one/);
    });
  }

  it('RC0206: activations, with the list of those that are supported', () => {
    refuses(
      'RC0206',
      { model_type: 'vit', hidden_act: 'quick_gelu' },
      'hidden_act',
      /"quick_gelu"/,
      /gelu_pytorch_tanh/,
    );
    refuses('RC0206', { model_type: 'opt', activation_function: '__proto__' }, 'activation_function', /not supported/);
  });

  it('RC0207: rotary scalings', () => {
    for (const type of ['dynamic', 'yarn', 'longrope', 7]) {
      refuses(
        'RC0207',
        { model_type: 'llama', rope_scaling: { type, factor: 2 } },
        'rope_scaling.type',
        /not supported/,
        /llama3/,
      );
    }
  });

  for (const [fields, field, text] of [
    [{ rope_scaling: {} }, 'rope_scaling', /names no rope type/],
    [{ rope_scaling: { factor: 2 } }, 'rope_scaling', /names no rope type/],
    [{ rope_scaling: { rope_type: null, type: null } }, 'rope_scaling', /names no rope type/],
    [{ rope_scaling: { rope_type: null, type: 'yarn', factor: 2 } }, 'rope_scaling.type', /"yarn"/],
    [{ rope_scaling: { rope_type: 'default', factor: 8 } }, 'rope_scaling.factor', /"default" has no .*found 8/],
    [{ rope_parameters: { factor: 8 } }, 'rope_parameters.factor', /"default" has no field "factor"/],
    [{ rope_parameters: { full_attention: { rope_type: 'yarn' } } }, 'rope_parameters.full_attention', /"yarn"/],
    [
      { rope_scaling: { rope_type: 'linear', factor: 2, low_freq_factor: 1 } },
      'rope_scaling.low_freq_factor',
      /"linear" has no field/,
    ],
    [
      { rope_scaling: { rope_type: 'llama3', ...llama3, attention_factor: 0.1 } },
      'rope_scaling.attention_factor',
      /"llama3" has no field/,
    ],
  ] as const) {
    it(`RC0207: ${JSON.stringify(fields)}`, () => {
      refuses('RC0207', { model_type: 'llama', ...fields }, field, text, /default, linear, llama3/);
    });
  }

  for (const [fields, field] of [
    [{ model_type: 'gpt2', add_cross_attention: true }, 'add_cross_attention'],
    [{ model_type: 'opt', is_encoder_decoder: true }, 'is_encoder_decoder'],
    [{ model_type: 'llama', sliding_window: 4096 }, 'sliding_window'],
    [{ model_type: 'llama', partial_rotary_factor: 0.5 }, 'partial_rotary_factor'],
    [{ model_type: 'llama', rope_parameters: { partial_rotary_factor: 0.5 } }, 'rope_parameters.partial_rotary_factor'],
    [{ model_type: 'llama', pruned_heads: { 0: [1] } }, 'pruned_heads'],
    [{ model_type: 'gpt2', pruned_heads: [[0, 1]] }, 'pruned_heads'],
  ] as const) {
    it(`RC0208: ${JSON.stringify(fields)}`, () => {
      refuses('RC0208', fields, field, /not supported/);
    });
  }

  it('RC0209: quantised weights', () => {
    refuses(
      'RC0209',
      { model_type: 'llama', quantization_config: { quant_method: 'gptq' } },
      'quantization_config',
      /quantised/,
    );
  });

  it('RC0210: heads for other tasks', () => {
    const fields = { model_type: 'llama', architectures: ['LlamaForSequenceClassification'] };
    refuses('RC0210', fields, 'architectures', /SequenceClassification/, /LlamaForCausalLM/);
    refuses('RC0210', { model_type: 'vit', architectures: 'x' }, 'architectures', /not supported/);
    refuses('RC0210', { model_type: 'vit', architectures: [7] }, 'architectures', /not supported/);
  });
});

describe('config.json, anything', () => {
  const fields = Object.keys({
    ...{
      hidden_size: 0,
      num_hidden_layers: 0,
      num_attention_heads: 0,
      num_key_value_heads: 0,
      head_dim: 0,
      n_inner: 0,
      n_head: 0,
      max_position_embeddings: 0,
      pruned_heads: 0,
      original_max_position_embeddings: 0,
    },
    ...{ hidden_act: 0, activation_function: 0, rope_scaling: 0, rope_parameters: 0, rope_theta: 0, rms_norm_eps: 0 },
    ...{ eos_token_id: 0, id2label: 0, image_size: 0, patch_size: 0, architectures: 0, quantization_config: 0 },
  });
  const value = fc.oneof(
    fc.jsonValue({ maxDepth: 2 }),
    fc.integer({ min: -2, max: 600 }),
    fc.constantFrom('relu', 'gelu', 1e308, 2 ** 53, { type: 'linear', factor: 2 }, { rope_type: 'llama3' }, [
      'LlamaModel',
    ]),
  );

  it('gives sound sizes or a diagnostic', () => {
    const family = fc.constantFrom('opt', 'gpt2', 'llama', 'vit');
    fc.assert(
      fc.property(family, fc.dictionary(fc.constantFrom(...fields), value, { maxKeys: 4 }), (model_type, given) => {
        let config: ModelConfig;
        try {
          config = read({ model_type, ...given });
        } catch (error) {
          assert.ok(error instanceof RadialError, String(error));
          error.diagnostics.forEach(assertHelpful);
          return;
        }
        const { hiddenSize, layers, heads, ffn } = config;
        for (const size of [hiddenSize, layers, heads, ffn]) assert.ok(Number.isSafeInteger(size) && size > 0);
        if (config.family === 'llama') assert.ok(heads % config.kvHeads === 0 && config.headDim % 2 === 0);
        else assert.equal(hiddenSize % heads, 0);
      }),
      { numRuns: 2000 },
    );
  });
});
