/** @file The contract of compiler and runtime: the artifact format, its reader, its codes. */
export { runtimeCodes } from './codes.ts';
export { RadialRuntimeError } from './errors.ts';
export {
  CHUNK_BYTES,
  FORMAT,
  FORMAT_VERSION,
  IR_FILES,
  LOADER_FILES,
  MANIFEST_FILE,
  TOKENIZER_FILES,
  WASM_FILE,
  WEIGHTS_FOLDER,
  KV_PROBE_COLUMNS,
  PROBE_COLUMNS,
  kvReports,
  chunkFile,
  manifestText,
  textToSign,
} from './manifest.ts';
export type {
  Abi,
  BlockInfo,
  EdgeInfo,
  FileEntry,
  KvInfo,
  KvReport,
  Manifest,
  ProgramInfo,
  RoutingInfo,
  Rows,
  Shapes,
  Tokens,
  UnsignedManifest,
} from './manifest.ts';
export { looksLikeManifest, readManifest } from './read-manifest.ts';
