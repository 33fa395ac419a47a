/** @file The diagnostics RC01xx: reading and writing the files of a checkpoint. */
import type { CodeInfo, DiagnosticCode } from '../../../ir/diagnostics/diagnostic.ts';

/** RC0101 – RC0116 are the rules of the safetensors format; the names in the titles are those of its reference. */
const safetensorsCodes = {
  RC0101: {
    title: 'Safetensors file too small (HeaderTooSmall)',
    explanation:
      'A safetensors file begins with 8 bytes that give the length of its header. This file is shorter than that.',
  },
  RC0102: {
    title: 'Safetensors header too large (HeaderTooLarge)',
    explanation:
      'A header may have at most 100,000,000 bytes. A larger number usually means that the file is not safetensors.',
  },
  RC0103: {
    title: 'Safetensors header longer than its file (InvalidHeaderLength)',
    explanation:
      'The first 8 bytes give a header length that reaches past the end of the file, as after a broken download.',
  },
  RC0104: {
    title: 'Safetensors header not UTF-8 (InvalidHeader)',
    explanation: 'The header is JSON text in UTF-8, without a byte order mark. This one has bytes that are no UTF-8.',
  },
  RC0105: {
    title: 'Safetensors header does not start with "{" (InvalidHeaderStart)',
    explanation:
      'The first byte of the header must be "{": white space and a byte order mark before it are not allowed.',
  },
  RC0106: {
    title: 'Safetensors header does not end properly (InvalidHeaderDeserialization)',
    explanation: 'The header must end with "}", which only spaces may follow; they pad it so that the data is aligned.',
  },
  RC0107: {
    title: 'Duplicate key in a safetensors header',
    explanation:
      'Readers disagree on which of two equal names counts, so the format forbids them, and so does this compiler.',
  },
  RC0108: {
    title: 'Bad __metadata__ in a safetensors header',
    explanation: '__metadata__ is an object whose values are all strings.',
  },
  RC0109: {
    title: 'Bad tensor description (TensorInvalidInfo)',
    explanation:
      'A tensor is described by {"dtype": string, "shape": [integers], "data_offsets": [begin, end]} and nothing else; the integers are not negative, and a shape has at most 64 of them.',
  },
  RC0110: { title: 'Unknown dtype', explanation: 'The dtype of a tensor is none that the safetensors format defines.' },
  RC0111: {
    title: 'Bad tensor offsets (InvalidOffset)',
    explanation:
      'In order of their offsets, tensors must begin at byte 0 of the data and follow one another without overlap or holes.',
  },
  RC0112: {
    title: 'Offsets do not fit the shape (TensorInvalidInfo)',
    explanation: 'end - begin of data_offsets must be the product of the shape times the bytes of the dtype.',
  },
  RC0113: {
    title: 'Size overflow (ValidationOverflow)',
    explanation:
      'A number in the header, a product of sizes, or a size in bits is 2^53 or more. No real tensor is that large.',
  },
  RC0114: {
    title: 'Tensor of a fraction of a byte (MisalignedSlice)',
    explanation: 'Tensors of 4-bit and 6-bit dtypes must fill whole bytes.',
  },
  RC0115: {
    title: 'Data missing (MetadataIncompleteBuffer)',
    explanation: 'The header describes more data than the file has, as after a broken download.',
  },
  RC0116: {
    title: 'Data that no tensor owns (MetadataIncompleteBuffer)',
    explanation: 'The file must end where its last tensor ends, so that nothing can hide in it.',
  },
} satisfies Record<DiagnosticCode, CodeInfo>;

const tensorCodes = {
  RC0117: {
    title: 'Weights of an unsupported dtype',
    explanation:
      'Weights are F32, F16 or BF16. A file may hold tensors of other dtypes, such as masks, but the model must not need them.',
  },
  RC0118: {
    title: 'Tensor not found (TensorNotFound)',
    explanation: 'The model needs a tensor that no file of the checkpoint holds.',
  },
  RC0119: {
    title: 'Weight that is not a finite number',
    explanation:
      'A weight is NaN or infinite, so every output of the model would be. The checkpoint is damaged, or its training diverged.',
  },
  RC0120: {
    title: 'Pickled weights',
    explanation:
      'Files such as pytorch_model.bin are Python pickles, which run code when they are read; they are refused by name and by content. Convert them to safetensors where you trust them.',
  },
  RC0121: {
    title: 'File of another format',
    explanation:
      'The file is not safetensors: its first bytes are those of GGUF, HDF5, NumPy, ONNX, a Git LFS pointer or a web page.',
  },
  RC0122: {
    title: 'Too many tensors',
    explanation: 'A file holds more than 250,000 tensors, which no real checkpoint does.',
  },
} satisfies Record<DiagnosticCode, CodeInfo>;

const shardCodes = {
  RC0130: {
    title: 'Bad shard index',
    explanation:
      'model.safetensors.index.json must be an object whose "weight_map" maps the name of each tensor to the name of a file beside it.',
  },
  RC0131: {
    title: 'Unsafe file name',
    explanation:
      'The files of a checkpoint are named by plain file names: no folders, drives, addresses, escapes such as %2e, or control characters, so that an index cannot name files elsewhere.',
  },
  RC0132: {
    title: 'File missing or unreadable',
    explanation:
      'A file or folder that is needed does not exist or may not be read. A symbolic link to something that is gone, as a pruned cache leaves them, is such a file too, even where the file is optional: it was meant to be there.',
  },
  RC0133: {
    title: 'Link that leaves the checkpoint',
    explanation:
      'A file of the checkpoint is a symbolic link to a place outside of its folder. Only links inside the folder, and those of the Hugging Face cache to its own blobs folder, are followed.',
  },
  RC0134: {
    title: 'Not a regular file',
    explanation: 'A folder, pipe, socket or device stands where a file should be.',
  },
  RC0135: {
    title: 'Tensor missing from its shard',
    explanation: 'The index says that a shard holds a tensor, but the shard does not.',
  },
  RC0136: {
    title: 'Tensor missing from the index',
    explanation: 'A shard holds a tensor that the index does not name for it.',
  },
  RC0137: {
    title: 'Tensor in two shards',
    explanation: 'Two shards hold a tensor of the same name, so it is not clear which counts.',
  },
  RC0138: {
    title: 'Too many shards',
    explanation: 'The index names more than 1,000 files. Real checkpoints have at most a few hundred.',
  },
  RC0139: {
    title: 'File changed while it was read',
    explanation: 'A file became shorter or was replaced by another after it had been opened and checked.',
  },
} satisfies Record<DiagnosticCode, CodeInfo>;

const folderCodes = {
  RC0140: {
    title: 'No such checkpoint',
    explanation: 'A checkpoint is a folder in the layout of Hugging Face; there is nothing at this path.',
  },
  RC0141: {
    title: 'Checkpoint is not a folder',
    explanation: 'Name the folder that holds config.json and model.safetensors, not a file in it.',
  },
  RC0142: {
    title: 'Checkpoint without weights',
    explanation: 'The folder has neither model.safetensors nor model.safetensors.index.json.',
  },
  RC0143: {
    title: 'Weights cannot be written',
    explanation: 'The system refused to write a safetensors file, for example because the disk is full.',
  },
  RC0144: {
    title: 'Weight beyond the range of its dtype',
    explanation:
      'A finite weight would become infinite when it is rounded to 16 bits; F16 ends at 65504. Write it as BF16 or F32.',
  },
} satisfies Record<DiagnosticCode, CodeInfo>;

const jsonCodes = {
  RC0150: {
    title: 'JSON syntax error',
    explanation: 'The text is not JSON (RFC 8259): no comments, no trailing commas, no NaN, double quotes only.',
  },
  RC0151: {
    title: 'Duplicate key',
    explanation: 'An object gives a key twice. Readers disagree on which counts, so neither does.',
  },
  RC0152: {
    title: 'JSON nested too deep',
    explanation: 'Values may be nested 64 deep, far more than any file of a checkpoint needs.',
  },
  RC0153: {
    title: 'Number out of range',
    explanation: 'A number is too large for a 64-bit float and would become infinite.',
  },
  RC0154: { title: 'JSON file not UTF-8', explanation: 'JSON files are UTF-8; a byte order mark is allowed.' },
  RC0155: {
    title: 'Text file too large',
    explanation:
      'config.json, the shard index and their like may have at most 10,000,000 bytes, tokenizer.json at most 64,000,000, IR text (*.rir) at most 12 MiB. Nothing of a larger file is read.',
  },
} satisfies Record<DiagnosticCode, CodeInfo>;

export const weightCodes = { ...safetensorsCodes, ...tensorCodes, ...shardCodes, ...folderCodes, ...jsonCodes };
