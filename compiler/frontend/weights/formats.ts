/** @file Recognises files that are not safetensors, to say what they are and how to convert them. */
import { extname } from 'node:path';
import { fail } from '../../../ir/diagnostics/diagnostic.ts';

const TO_SAFETENSORS =
  'save the model with safe_serialization=True (transformers) or safetensors.torch.save_file, then compile that folder';

const pickleSuffixes: readonly string[] = ['.bin', '.pt', '.pth', '.ckpt', '.pkl', '.pickle', '.npz'];

/** Whether the name is one under which pickled weights are kept. */
export function hasPickleName(name: string): boolean {
  return pickleSuffixes.includes(extname(name).toLowerCase());
}

/** Refuses pickled weights: reading them may run any program that their author put in. */
export function refusePickle(path: string, found: string): never {
  return fail('RC0120', `${found}; pickle files can run code when they are read and are never opened`, {
    place: { file: path },
    help: TO_SAFETENSORS,
  });
}

interface Format {
  readonly name: string;
  /** The first bytes, one character each. */
  readonly magic: string;
  readonly help: string;
}

const formats: readonly Format[] = [
  { name: 'a GGUF file', magic: 'GGUF', help: 'compile the safetensors checkpoint that the GGUF file was made from' },
  { name: 'an HDF5 file', magic: '\x89HDF\r\n\x1a\n', help: `load it in its framework, then ${TO_SAFETENSORS}` },
  { name: 'a NumPy file', magic: '\x93NUMPY', help: `load it in its framework, then ${TO_SAFETENSORS}` },
  {
    name: 'a Git LFS pointer, not the file itself',
    magic: 'version https://git-lfs',
    help: 'run "git lfs pull" in the folder of the checkpoint',
  },
  { name: 'a web page', magic: '<', help: 'the download went wrong; get the file from its source again' },
];

/** An ONNX model begins with its two first protobuf fields: ir_version (1 byte), then the producer's name. */
const onnx: Omit<Format, 'magic'> = {
  name: 'an ONNX file',
  help: 'compile the safetensors checkpoint that the ONNX file was exported from',
};

/**
 * Called when `start`, the first bytes of a file, is no safetensors header: ends with a better diagnostic where the file
 * is something else that is known, and returns otherwise.
 */
export function refuseOtherFormat(path: string, start: Uint8Array): void {
  const text = Buffer.from(start).toString('latin1');
  if (text.startsWith('PK\x03\x04')) refusePickle(path, 'the file is a ZIP archive, as torch.save writes them');
  // A header of up to 4 GB has four zeros here; then the bytes before them are a number, not a magic.
  if (text.length >= 8 && text.slice(4, 8) === '\0\0\0\0') return;
  if (isPickle(start)) refusePickle(path, 'the file is a Python pickle');
  const format = formats.find(({ magic }) => text.startsWith(magic)) ?? (isOnnx(start) ? onnx : undefined);
  if (format === undefined) return;
  fail('RC0121', `the file is ${format.name}`, { place: { file: path }, help: format.help });
}

/** The PROTO opcode and a protocol from 2 to 5. */
function isPickle([opcode = 0, protocol = 0]: Uint8Array): boolean {
  return opcode === 0x80 && protocol >= 2 && protocol <= 5;
}

function isOnnx([field1 = 0, version = 0, field2 = 0]: Uint8Array): boolean {
  return field1 === 0x08 && version >= 1 && version < 32 && field2 === 0x12;
}
