/** @file The diagnostics RC020x and RC021x: what `config.json` says. */
import type { CodeInfo, DiagnosticCode } from '../../../ir/diagnostics/diagnostic.ts';

export const configCodes = {
  RC0201: { title: 'config.json missing', explanation: 'A checkpoint says in config.json what model it holds.' },
  RC0202: {
    title: 'config.json is not an object',
    explanation: 'config.json must be a JSON object of fields such as "model_type".',
  },
  RC0203: {
    title: 'Unknown model family',
    explanation: 'The field "model_type" names the family. The families opt, gpt2, llama and vit are supported.',
  },
  RC0204: {
    title: 'Bad field in config.json',
    explanation:
      'A field has the wrong type or a value outside of its limits. Fields that are left out have the default of the Hugging Face class.',
  },
  RC0205: {
    title: 'Fields that do not fit together',
    explanation:
      'Two fields contradict each other: a number of heads that does not divide the hidden size, one size under two names with two values, rope_scaling beside other rope_parameters. Readers disagree on which counts, so neither does.',
  },
  RC0206: {
    title: 'Unsupported activation',
    explanation:
      'The activations relu, gelu, gelu_new, gelu_fast, gelu_pytorch_tanh, silu, swish and tanh are supported.',
  },
  RC0207: {
    title: 'Unsupported rotary scaling',
    explanation:
      'The rope types default, linear and llama3 are supported, each with its own fields. rope_scaling must name its type; fields that belong to another type, or that hold further objects, are refused, because ignoring them would give wrong outputs.',
  },
  RC0208: {
    title: 'Unsupported option',
    explanation:
      'A field asks for different mathematics than the compiler has. It is refused, because ignoring it would give wrong outputs.',
  },
  RC0209: {
    title: 'Quantised checkpoint',
    explanation: 'The weights are quantised in a format of another tool. Compile the checkpoint that it was made from.',
  },
  RC0210: {
    title: 'Unsupported head',
    explanation:
      'The model ends in a head for another task, such as sequence classification. Language models and image classifiers are supported.',
  },
} satisfies Record<DiagnosticCode, CodeInfo>;
