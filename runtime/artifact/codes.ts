/**
 * @file The diagnostics of the runtime: RC08xx, loading an artifact; RC09xx, what a run is given. Only the compiler's
 * `radialc explain` reads the texts; the runtime knows the codes as types.
 */

const artifactCodes = {
  RC0801: {
    title: 'No artifact there',
    explanation:
      'The folder or address has no manifest.json. Give the folder that `radialc compile … -o OUT` wrote, or the address under which a web server offers it.',
  },
  RC0802: {
    title: 'Not a manifest',
    explanation:
      'What was found as manifest.json is no JSON text of an artifact. Web servers that answer unknown addresses with a page are a common cause.',
  },
  RC0803: {
    title: 'Bad manifest field',
    explanation:
      'A field of the manifest is missing, unknown, of another type or out of its range. Manifests are written by the compiler and are not meant to be edited.',
  },
  RC0804: {
    title: 'Unknown format version',
    explanation: 'The artifact was made by a compiler whose artifacts this runtime does not know how to read.',
  },
  RC0805: {
    title: 'The manifest was changed',
    explanation:
      'The manifest holds a hash of its own text. It does not agree, so bytes were damaged or edited after the compiler wrote them.',
  },
  RC0806: {
    title: 'A file of the artifact is missing or cannot be read',
    explanation: 'The manifest names a file that the folder or server does not have, or that cannot be opened.',
  },
  RC0807: {
    title: 'A file of the artifact has another length',
    explanation:
      'The file is longer or shorter than the manifest says, as after a broken copy or download, or a server that sends another file.',
  },
  RC0808: {
    title: 'A file of the artifact has other contents',
    explanation:
      'The SHA-256 of the file is not that in the manifest: bytes were changed, or files of two artifacts were mixed.',
  },
  RC0809: {
    title: 'The server answered with an error',
    explanation: 'A request for a file of the artifact failed, or its status was not 200.',
  },
  RC0810: {
    title: 'The server answered with a web page',
    explanation:
      'An HTML page came instead of the file. Servers of single-page applications do this for files that they do not have.',
  },
  RC0811: {
    title: 'Redirect to another origin',
    explanation:
      'The server sent the request on to another origin. This is refused unless the option allowRedirects is true.',
  },
  RC0812: {
    title: 'This engine cannot run the program',
    explanation:
      'The WebAssembly module is not valid here. Programs need WebAssembly SIMD: Chrome 91, Firefox 89, Safari 16.4, Node 20 or later.',
  },
  RC0813: {
    title: 'Not enough memory',
    explanation: 'The engine refused the linear memory that the program needs.',
  },
  RC0814: {
    title: 'The program does not fit its manifest',
    explanation:
      'The module imports something, lacks an export, or its memory has another size than the manifest says or changes it.',
  },
  RC0815: {
    title: 'The tokenizer cannot be used',
    explanation: 'tokenizer.json is not one that the tokenizer library reads, or tokenizer.js could not be loaded.',
  },
  RC0816: {
    title: 'No hashes here',
    explanation:
      'Browsers offer SHA-256 only to pages served over https or from localhost, and nothing is loaded unchecked.',
  },
  RC0817: {
    title: 'The address cannot be used',
    explanation: 'An artifact is loaded from a folder (Node) or an http, https or file address.',
  },
};

const runCodes = {
  RC0901: {
    title: 'Unknown option',
    explanation: 'Options that are not known are refused, so that a misspelt one is not silently without effect.',
  },
  RC0902: {
    title: 'Bad option value',
    explanation: 'The option has another type than expected, or is out of its range.',
  },
  RC0903: {
    title: 'Empty prompt',
    explanation:
      'There is no token to start from. Programs that put a start token before the text accept an empty text.',
  },
  RC0904: { title: 'Token id out of range', explanation: 'Token ids are whole numbers from 0 to vocabulary size - 1.' },
  RC0905: {
    title: 'Context exceeded',
    explanation:
      'The prompt and the tokens to generate need more positions than the program was compiled for. The context is fixed when the program is compiled.',
  },
  RC0906: {
    title: 'Bad image',
    explanation:
      'An image program takes channels × height × width finite numbers, as a flat array or nested as [channel][row][column].',
  },
  RC0907: {
    title: 'Wrong kind of input',
    explanation: 'Text and ids are for language models, pixels for image models.',
  },
  RC0908: {
    title: 'The model is busy',
    explanation:
      'A model has one KV cache, so one call at a time can use it. Finish the other iteration, leave it with break, or load the model twice.',
  },
  RC0909: { title: 'The model was disposed of', explanation: 'dispose() gave its memory back; load the model again.' },
  RC0910: {
    title: 'No tokenizer',
    explanation: 'The artifact was compiled from a checkpoint without tokenizer.json; give token ids instead of text.',
  },
  RC0911: {
    title: 'The logits are not numbers',
    explanation:
      'All logits of a position are NaN, so no token can be chosen. An overflow in the weights is the usual cause.',
  },
  RC0912: {
    title: 'The program stopped',
    explanation: 'The WebAssembly program trapped. This is a bug of the compiler or a module that it did not make.',
  },
  RC0920: {
    title: 'The program has no routers',
    explanation: 'A route can be given only to programs compiled with --route external.',
  },
  RC0921: { title: 'Bad route', explanation: 'A route is { mask }, { walk } or a function of position and id.' },
  RC0922: { title: 'Bad mask', explanation: 'A mask has a row for each block and in it 0 or 1 for each token.' },
  RC0923: { title: 'Bad walk', explanation: 'A walk is an array of block ids, in order of execution.' },
  RC0924: { title: 'Unknown block', explanation: 'The route names a block that the program does not have.' },
  RC0926: {
    title: 'No gates to set',
    explanation:
      'A threshold says how sure a gate must be that a token needs its block. This program has no gates: it was compiled from a model without routers, or with another --route.',
  },
  RC0925: {
    title: 'No such edge',
    explanation: 'The route goes from one block to another that is not in its successor list.',
  },
};

/** Every code of the runtime, for `radialc explain`. */
export const runtimeCodes = { ...artifactCodes, ...runCodes } satisfies Readonly<
  Record<`RC${string}`, { readonly title: string; readonly explanation: string }>
>;

export type RuntimeCode = keyof typeof runtimeCodes;
