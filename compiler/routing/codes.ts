/** @file The diagnostics of profiles, evaluations and oracles: RC12xx. */
import type { CodeInfo, DiagnosticCode } from '../../ir/diagnostics/diagnostic.ts';

export const routingCodes = {
  RC1201: {
    title: 'the model cannot be given probes',
    explanation:
      'Profiles and oracles are made by a program whose blocks report what they do to the hidden state. It is compiled from a ' +
      'checkpoint, or from IR text in which the sum that ends each block is an operation of its own. In a program that is ' +
      'compiled already, nothing can be inserted.',
  },
  RC1202: {
    title: 'the model needs another input to be profiled on',
    explanation: 'A language model is profiled on text (--text), an image model on images (--images).',
  },
  RC1203: {
    title: 'the model has no tokenizer',
    explanation:
      'A text is read as token ids, so the checkpoint folder must have a tokenizer.json. Modules in text form (.rir) have none: ' +
      '`radialc eval` takes the tokenizer of the model that they are compared with.',
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
    title: 'something else is in the place of the output',
    explanation:
      'The output replaces an older report of the same kind, but nothing else: not a file of another kind, and not one of the ' +
      'inputs, such as the profiles that are being merged.',
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
    title: 'the report could not be written',
    explanation:
      'The operating system refused the file; the message says why. What was measured until then is not lost: a profile or a ' +
      'sweep goes on with --resume once the cause is removed, what other commands have found is printed as JSON.',
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
  RC1221: {
    title: 'the model is no language model',
    explanation:
      '`radialc eval` and `radialc oracle` measure how well a model predicts text. An image model predicts none.',
  },
  RC1222: {
    title: 'the tokenizers of the models differ',
    explanation:
      'Two models are compared token by token, so both must cut a text into the same tokens, and begin it with the same start ' +
      'token. Where only one of them has a tokenizer, it is taken for both.',
  },
  RC1223: {
    title: 'the vocabularies of the models differ',
    explanation: 'Two models are compared by the probabilities of the same tokens, so both must have equally many.',
  },
  RC1224: {
    title: 'the window is longer than the context',
    explanation:
      'A window is run as one sequence, so each of the models must have room for it. The context of a compiled program is ' +
      'fixed; `radialc inspect` shows it.',
  },
  RC1225: {
    title: 'there is nothing to predict',
    explanation:
      'A token is predicted from what comes before it: from the start token where the model has one, else from the text. Of ' +
      'a single token without a start token nothing can be said.',
  },
  RC1226: {
    title: 'the logits are not finite',
    explanation:
      'A probability follows from finite logits only. A logit that is infinite or no number comes from a damaged checkpoint, ' +
      'or from numbers beyond the range of 32-bit floats.',
  },
  RC1227: {
    title: 'no text fills a window',
    explanation:
      'A warning. Tokens at the end of a long window are predicted from more text, so the loss over short texts is higher than ' +
      'that over long ones. Results on the same text with the same window can still be compared.',
  },
  RC1229: {
    title: 'no router to compare with the oracle',
    explanation:
      '`oracle --router` compares what learned routers decide with what the oracle does, block by block. The two models must have the same blocks, and the second one routers.',
  },
  RC1261: {
    title: 'a study starts from a checkpoint',
    explanation:
      '`radialc study` compiles a checkpoint in several ways: with probes, with its routers, with routes from outside. A compiled ' +
      'program is one of them already, and a module in text form has no tokenizer.',
  },
  RC1262: {
    title: 'the profile is of another model',
    explanation:
      'A profile names its model by the SHA-256 of graph and weights. With the ratios of another model, nothing in the study ' +
      'would fit together.',
  },
  RC1263: {
    title: 'thresholds or budgets for a model without gates',
    explanation:
      '`--thresholds` says how sure gates must be, and `--budget` searches thresholds, so the checkpoint must have gates. A hub ' +
      'has no threshold. What an oracle skips is set by `--ratios` of `radialc study`.',
  },
  RC1264: {
    title: 'there is an unfinished sweep',
    explanation:
      'While a sweep is made, what is done stands in OUT.partial. A new run would lose it. Add --resume to go on with it, or ' +
      'remove the file.',
  },
  RC1265: {
    title: 'there is no sweep to resume',
    explanation: 'OUT.partial is not there: the sweep was never begun, or it is done. Start it without --resume.',
  },
  RC1266: {
    title: 'the unfinished sweep has other settings',
    explanation:
      'A sweep is continued with the model, the texts, the window and the grid that it began with, so that all its numbers are ' +
      'of one kind. Repeat the first command with --resume added, or choose another output.',
  },
  RC1267: {
    title: 'the file is not a sweep',
    explanation:
      'An unfinished sweep is what `radialc sweep` has left in OUT.partial. This file has another form or another version.',
  },
} satisfies Record<DiagnosticCode, CodeInfo>;
