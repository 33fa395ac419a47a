/** @file The diagnostics of profiles: RC12xx. */
import type { CodeInfo, DiagnosticCode } from '../../ir/diagnostics/diagnostic.ts';

export const routingCodes = {
  RC1201: {
    title: 'the model cannot be given probes',
    explanation:
      'A profile is made by a program whose blocks report what they do to the hidden state. `radialc profile` compiles it from ' +
      'a checkpoint, or from IR text in which the sum that ends each block is an operation of its own. In a program that is ' +
      'compiled already, nothing can be inserted.',
  },
  RC1202: {
    title: 'the model needs another input to be profiled on',
    explanation: 'A language model is profiled on text (--text), an image model on images (--images).',
  },
  RC1203: {
    title: 'the model has no tokenizer',
    explanation: 'A text is profiled as token ids, so the checkpoint folder must have a tokenizer.json.',
  },
  RC1204: {
    title: 'the text is empty',
    explanation: 'A file without a single token says nothing about the model. A text may be shorter than a window.',
  },
  RC1205: {
    title: 'the text is not UTF-8',
    explanation:
      'Texts are read as UTF-8, with or without a byte order mark. Bytes that are no character are not skipped.',
  },
  RC1206: {
    title: 'no such shard',
    explanation:
      '`--shard i/n` takes every n-th window (or image), beginning with number i, counted from 0: the shards of three are ' +
      '0/3, 1/3 and 2/3. `radialc merge` makes one profile of all of them.',
  },
  RC1207: {
    title: 'the window has no room for text',
    explanation:
      'Each window begins with the start token where the model has one, and holds at least one token of text.',
  },
  RC1208: {
    title: 'something else than a profile is in the way',
    explanation:
      'The output replaces an older profile, but nothing else: not a file of another kind, and not one of the profiles that ' +
      'are being merged.',
  },
  RC1209: {
    title: 'there is an unfinished profile',
    explanation:
      'While a profile is made, what is done stands in OUT.partial. A new run would lose it. Add --resume to go on with it, ' +
      'or remove the file.',
  },
  RC1210: {
    title: 'there is no profile to resume',
    explanation: 'OUT.partial is not there: the run was never begun, or it is done. Start it without --resume.',
  },
  RC1211: {
    title: 'the unfinished profile has other settings',
    explanation:
      'A profile is continued with the model, the input, the window and the shard that it began with, so that the result is ' +
      'the same as without the interruption. Repeat the first command with --resume added, or choose another output.',
  },
  RC1212: {
    title: 'the profile could not be written',
    explanation:
      'The operating system refused the file; the message says why. What was saved before is still there: once the cause is ' +
      'removed, --resume goes on from it.',
  },
  RC1213: {
    title: 'the file is not a profile',
    explanation:
      'A profile is what `radialc profile` and `radialc merge` write: counts, and the statistics that follow from them. This ' +
      'file has another form or another version, or its numbers contradict each other.',
  },
  RC1214: {
    title: 'the profile is unfinished',
    explanation:
      'A profile that was interrupted lacks a part of its shard. Finish it with `radialc profile … --resume`.',
  },
  RC1215: {
    title: 'the profiles do not belong together',
    explanation:
      'Shards of one profile have the same model, tokenizer, window, limit and input files, each told by its SHA-256. ' +
      'Profiles that differ in one of these describe different things, and their sum nothing.',
  },
  RC1216: {
    title: 'the shards are not all there, once each',
    explanation: 'To merge the shards of n, all of 0/n to (n - 1)/n are needed, and each of them once.',
  },
  RC1217: {
    title: 'the images are not as described',
    explanation:
      'A file of images is a JSON object `{"pixel_values": [image, …]}` with images as [channel][row][column] of finite ' +
      'numbers, of the size that the model takes; routes are not followed. It may have at most 64 MiB.',
  },
} satisfies Record<DiagnosticCode, CodeInfo>;
