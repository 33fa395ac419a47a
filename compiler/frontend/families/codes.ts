/** @file The diagnostics RC025x and RC026x: how the tensors agree with config.json, and random checkpoints. */
import type { CodeInfo, DiagnosticCode } from '../../../ir/diagnostics/diagnostic.ts';

export const familyCodes = {
  RC0250: {
    title: 'Missing tensor',
    explanation:
      'The model that config.json describes needs a tensor that the checkpoint does not hold. Either a shard is missing, or config.json belongs to another model: compare the number of layers and "tie_word_embeddings".',
  },
  RC0251: {
    title: 'Tensor of another shape',
    explanation:
      'A tensor has another shape than the sizes in config.json give it. The two belong to different models, or the weights were changed (a vocabulary that was extended, a head for another number of labels) without config.json.',
  },
  RC0252: {
    title: 'Tensors that the model does not have',
    explanation:
      'The checkpoint holds tensors that the model in config.json has no place for. To leave them out would run another model than the one that was trained, so they are an error: adapters, extra layers and other heads must be merged or removed first. Masks and rotary frequencies, on which no output depends, are passed over.',
  },
  RC0253: {
    title: 'Tensor of an unusable dtype',
    explanation: 'The model needs a tensor that is not stored as F32, F16 or BF16.',
  },
  RC0254: {
    title: 'Impossible context length',
    explanation:
      'A model with a table of positions knows no positions beyond its last row; one with rotary positions can go further, though its quality usually falls there; an image classifier has exactly one token per patch and one for the class.',
  },
  RC0255: {
    title: 'Tied head that is another',
    explanation:
      'config.json says that the head is the embedding ("tie_word_embeddings", which is true for OPT and GPT-2 where it is left out), but the checkpoint holds a head of its own with other numbers. transformers uses one or the other, depending on its version; the compiler does not guess.',
  },
  RC0260: {
    title: 'Output folder in use',
    explanation:
      'A random checkpoint is only written to a folder that does not exist or is empty, so that nothing is overwritten.',
  },
  RC0261: {
    title: 'Output folder cannot be written',
    explanation: 'The system refused to create the folder or to put the finished checkpoint in its place.',
  },
} satisfies Record<DiagnosticCode, CodeInfo>;
