/** @file The diagnostics RC03xx: the tokenizer of a checkpoint. */
import type { CodeInfo, DiagnosticCode } from '../../../ir/diagnostics/diagnostic.ts';

export const tokenizerCodes = {
  RC0301: {
    title: 'Not a tokenizer',
    explanation:
      'tokenizer.json is that of the Hugging Face tokenizers library: an object whose "model" has a "type" and a "vocab". Files of ' +
      'older formats (vocab.json with merges.txt, tokenizer.model) are converted by loading and saving them with transformers.',
  },
  RC0302: {
    title: 'Start token outside the vocabulary',
    explanation:
      'The tokenizer puts a token before each text whose id the model has no embedding for, so the model could not read any text. ' +
      'Tokenizer and weights are probably of different models.',
  },
} satisfies Record<DiagnosticCode, CodeInfo>;
