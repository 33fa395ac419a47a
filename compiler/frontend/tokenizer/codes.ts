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
  RC0303: {
    title: 'Bad field in tokenizer.json',
    explanation:
      'The vocabulary gives each token an id of its own, a whole number from 0 on. In a BPE model, "merges" is a list of pairs of ' +
      'texts. "added_tokens" is a list, perhaps empty, of objects with a "content" and an "id". No text could be read otherwise.',
  },
  RC0304: {
    title: 'Token outside the vocabulary of the model',
    explanation:
      'The tokenizer has a token whose id the model has no embedding for; a text that holds it could not be read. The model may ' +
      'have more ids than the tokenizer uses, not fewer. Tokenizer and weights are probably of different models. Only added ' +
      'tokens may lie outside, and are refused when a text holds them.',
  },
} satisfies Record<DiagnosticCode, CodeInfo>;
