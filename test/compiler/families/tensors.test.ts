/** @file Checkpoints whose tensors do not fit their config: everything that is wrong is told at once. */
import assert from 'node:assert/strict';
import { familyCodes } from '../../../compiler/frontend/families/codes.ts';
import { buildNetwork } from '../../../compiler/frontend/families/index.ts';
import { RadialError } from '../../../ir/diagnostics/diagnostic.ts';
import type { Diagnostic } from '../../../ir/diagnostics/diagnostic.ts';
import type { WeightSource } from '../../../ir/weights.ts';
import type { JsonObject } from '../../../compiler/frontend/json.ts';
import { assertHelpful } from '../frontend/support.ts';
import { configOf, shapesFor, shapesOnly, tinyGpt2, tinyLlama, tinyOpt, tinyVit } from './support.ts';

type Shapes = Map<string, readonly number[]>;

describe('families: tensors against config.json', () => {
  it('a missing tensor is named with its shape and with the name that may be meant', () => {
    const [problem, ...rest] = problems(tinyOpt, (shapes) => {
      shapes.delete('model.decoder.layers.1.fc1.bias');
      shapes.set('model.decoder.layers.1.fc_1.bias', [20]);
    });
    assert.equal(problem?.code, 'RC0250');
    assert.equal(problem.message, 'the tensor "model.decoder.layers.1.fc1.bias" of shape [20] is missing');
    assert.deepEqual(problem.place, { file: 'folder', subject: 'tensor "model.decoder.layers.1.fc1.bias"' });
    assert.equal(problem.help, 'did you mean "model.decoder.layers.1.fc_1.bias"?');
    assert.deepEqual(
      rest.map(({ code }) => code),
      ['RC0252'],
    );
  });

  it('a missing head hints at the tie', () => {
    const [problem] = problems({ ...tinyLlama, tie_word_embeddings: false }, (shapes) =>
      shapes.delete('lm_head.weight'),
    );
    assert.equal(problem?.help, 'if the head is the embedding table, config.json must say "tie_word_embeddings": true');
  });

  it('a tensor of another shape is named with both shapes', () => {
    const [problem, ...rest] = problems(tinyGpt2, (shapes) =>
      shapes.set('transformer.h.0.attn.c_attn.weight', [36, 12]),
    );
    assert.equal(problem?.code, 'RC0251');
    assert.equal(
      problem.message,
      'the tensor "transformer.h.0.attn.c_attn.weight" has shape [36, 12], config.json makes it [12, 36]',
    );
    assert.deepEqual(rest, []);
  });

  it('up to five extra tensors are listed, the others counted', () => {
    const [problem, ...rest] = problems(tinyVit, (shapes) => {
      for (let i = 0; i < 7; i++) shapes.set(`lora.${i}.weight`, [1]);
    });
    assert.equal(problem?.code, 'RC0252');
    assert.equal(
      problem.message,
      '7 tensors have no place in this ViT for image classification model: ' +
        '"lora.0.weight", "lora.1.weight", "lora.2.weight", "lora.3.weight", "lora.4.weight" and 2 more',
    );
    assert.deepEqual(rest, []);
  });

  it('layers beyond those of the config are extra', () => {
    const [problem] = problems(tinyLlama, (shapes) => shapes.set('model.layers.2.input_layernorm.weight', [12]));
    assert.equal(problem?.code, 'RC0252');
    assert.match(problem.message, /^a tensor has no place in this Llama model: "model\.layers\.2/);
  });

  it('tells all kinds of fault at once', () => {
    const found = problems(tinyOpt, (shapes) => {
      shapes.delete('model.decoder.layers.0.fc1.weight');
      shapes.set('model.decoder.embed_tokens.weight', [32, 12]);
      shapes.set('model.decoder.extra', []);
    });
    assert.deepEqual(
      found.map(({ code }) => code),
      ['RC0250', 'RC0251', 'RC0252'],
    );
  });

  it('counts what is too much to tell', () => {
    const found = problems({ ...tinyLlama, num_hidden_layers: 4 }, () => undefined, {
      ...tinyLlama,
      num_hidden_layers: 2,
    });
    assert.equal(found.length, 9);
    assert.equal(found.at(-1)?.message, '10 more tensors are missing, 18 of 39 in all');
  });

  it('a checkpoint of another family is told as one', () => {
    const found = problems(tinyOpt, () => undefined, tinyVit);
    assert.equal(found.length, 1);
    assert.equal(found[0]?.code, 'RC0250');
    assert.match(
      found[0].message,
      /^the checkpoint has none of the 36 tensors of this OPT model; it holds "vit\.embeddings\.cls_token", /,
    );
    const [empty] = problems(tinyOpt, (shapes) => {
      shapes.clear();
    });
    assert.match(empty?.message ?? '', /it holds no tensors$/);
  });

  it('needed tensors of unusable dtypes are told, others may have any', () => {
    const shapes = shapesFor(configOf(tinyGpt2));
    shapes.set('transformer.h.0.attn.bias', [1, 1, 10, 10]);
    const dtypes = new Map([
      ['transformer.wte.weight', 'I64'],
      ['transformer.h.0.attn.bias', 'BOOL'],
    ]);
    const source = { ...shapesOnly(shapes), dtype: (name: string) => dtypes.get(name) ?? 'BF16' };
    const [problem, ...rest] = diagnosticsOf(tinyGpt2, source);
    assert.equal(problem?.code, 'RC0253');
    assert.equal(problem.message, 'the tensor "transformer.wte.weight" is stored as I64, weights are F32, F16, BF16');
    assert.deepEqual(rest, []);
  });

  it('every code has an explanation', () => {
    for (const { title, explanation } of Object.values(familyCodes)) {
      assert.ok(title !== '' && explanation.length > title.length);
    }
  });
});

describe('families: context', () => {
  const cases: readonly (readonly [JsonObject & { readonly model_type: string }, number, boolean])[] = [
    [tinyOpt, 10, true],
    [tinyOpt, 1, true],
    [tinyOpt, 11, false],
    [tinyOpt, 0, false],
    [tinyOpt, 2.5, false],
    [tinyGpt2, 10, true],
    [tinyGpt2, 11, false],
    [tinyLlama, 4000, true],
    [tinyLlama, 2 ** 24 + 1, false],
    [tinyVit, 5, true],
    [tinyVit, 4, false],
    [tinyVit, 6, false],
  ];
  for (const [fields, context, possible] of cases) {
    it(`${fields.model_type}: ${context} is ${possible ? '' : 'im'}possible`, () => {
      const source = shapesOnly(shapesFor(configOf(fields)));
      if (possible) {
        assert.equal(buildNetwork(configOf(fields), source, { name: 'm', context }).context, context);
      } else {
        assert.deepEqual(
          diagnosticsOf(fields, source, context).map(({ code }) => code),
          ['RC0254'],
        );
      }
    });
  }

  it("the config's by default, in images one token for each patch and one for the class", () => {
    for (const [fields, context] of [
      [tinyOpt, 10],
      [tinyLlama, 10],
      [tinyVit, 5],
    ] as const) {
      const config = configOf(fields);
      assert.equal(buildNetwork(config, shapesOnly(shapesFor(config)), { name: 'm' }).context, context);
    }
  });
});

/** What is said of the tensors that `holder` (by default the model itself) has after `change`. */
function problems(
  fields: JsonObject,
  change: (shapes: Shapes) => unknown,
  holder: JsonObject = fields,
): readonly Diagnostic[] {
  const shapes = shapesFor(configOf(holder));
  change(shapes);
  return diagnosticsOf(fields, shapesOnly(shapes));
}

function diagnosticsOf(fields: JsonObject, source: WeightSource, context?: number): readonly Diagnostic[] {
  try {
    buildNetwork(configOf(fields), source, { name: 'm', source: 'folder', context });
  } catch (error) {
    if (!(error instanceof RadialError)) throw error;
    error.diagnostics.forEach(assertHelpful);
    return error.diagnostics;
  }
  return assert.fail('nothing was found wrong');
}
