/** @file Diagnostics of the command line: RC10xx. */
import type { CodeInfo, DiagnosticCode } from '../../ir/diagnostics/diagnostic.ts';

export const cliCodes = {
  RC1001: {
    title: 'no such diagnostic code',
    explanation: 'Codes are RC and four digits. `radialc explain` without a code lists those that exist.',
  },
  RC1002: {
    title: 'the input of forward is not as described',
    explanation:
      'The file is a JSON object with `input_ids`, a list of sequences of token ids, or `pixel_values`, a list of images as ' +
      '[channels][height][width]. `mask` ([block][token], 1: executed) and `walk` ([token][hop], block ids) are optional, ' +
      'exclude each other, and apply to each sequence.',
  },
  RC1003: {
    title: 'a file could not be read or written',
    explanation: 'The operating system refused the file; the message says why. Nothing half-written was left.',
  },
  RC1004: {
    title: 'the compiled program differs from the interpreter',
    explanation:
      '`radialc verify` runs the program and the reference interpreter on the same tokens. A difference above the tolerance means ' +
      'that the artifact was made from another checkpoint, or that a kernel is wrong: please report it.',
  },
  RC1007: {
    title: 'the program does not do what this command needs',
    explanation:
      'For example `run` on an image classifier, or `verify` of a program against a checkpoint of another shape.',
  },
  RC1008: {
    title: 'a tensor that the IR text names is not there',
    explanation:
      'A module in text form holds names and shapes of tensors, not their numbers. `--weights DIR` names the folder with the ' +
      'safetensors file that has them. Modules made only of `random`, `values` and `full` constants need none.',
  },
  RC1011: {
    title: 'an option of compilation for a compiled program',
    explanation:
      'Route, KV policy, context and the like are fixed when a program is compiled; `radialc inspect` shows what they are.',
  },
  RC1010: {
    title: 'run needs a prompt',
    explanation: 'A text with --prompt, token ids with --ids, or a file of texts with --prompts; one of them.',
  },
  RC1012: {
    title: 'a text too large for the interpreter',
    explanation:
      'The interpreter makes the constants of IR text that are not stored tensors whenever it is started. It is for small models; ' +
      'compile large ones.',
  },
  RC1013: {
    title: 'an output in the place of another',
    explanation:
      'The folder of a program holds nothing else, and is replaced as a whole. The metafile and the dumped phases belong elsewhere.',
  },
  RC1014: {
    title: 'an option for IR text',
    explanation:
      '`--weights` and `--compile-from` belong to modules in text form (.rir). A checkpoint folder brings its own tensors, and is compiled from the first pass on.',
  },
  RC1015: {
    title: 'not a file of routes',
    explanation:
      '`run --record FILE` writes such files: a line of JSON for each token, in order of position. To compile by them, or to average over them, ' +
      'there must be a token at least.',
  },
  RC1016: {
    title: 'routes of something else',
    explanation:
      'Routes are replayed with the model and the text that they were recorded with: as many blocks, the same token embeddings, the same token at each position. To see what other routes would do to a text, use `radialc forward` with a walk.',
  },
  RC1017: {
    title: 'routes that no pass would read',
    explanation:
      'Recorded routes guide the pass form-traces, which belongs to -O2. A program at another level would be the same without them.',
  },
  RC1018: {
    title: 'not a file of prompts',
    explanation: '`run --prompts FILE` reads UTF-8 text with a prompt on each line; empty lines are left out.',
  },
  RC1009: {
    title: 'a target or a number format that cannot be had',
    explanation:
      '`radialc targets` lists what programs can be built for. Number formats are made of networks: a text from after the pass quantize has its own.',
  },
} satisfies Record<DiagnosticCode, CodeInfo>;
