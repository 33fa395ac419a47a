/** @file Loads an artifact from a folder or an address. */
import { addressFiles } from './address.ts';
import type { LoadOptions, RadialModel } from './api.ts';
import { fail } from './artifact/errors.ts';
import type { FileEntry, Manifest } from './artifact/manifest.ts';
import { readEntry, readManifestOf } from './files.ts';
import type { ArtifactFiles } from './files.ts';
import { folderFiles } from './folder.ts';
import { nodeModules, pageAddress } from './host.ts';
import type { NodeModules } from './host.ts';
import { createModel } from './model.ts';
import type { TokenizerFiles } from './model.ts';
import { booleanOption, checkNames, functionOption, signalOption } from './options.ts';

/** Where this file is; in an artifact that is the artifact's folder. */
const here = import.meta.url;

/**
 * Loads an artifact and checks all that it runs. In Node, a folder is read with nothing but the file system.
 * @param source - a folder (Node), or the address of one; in an artifact's own index.js the default is that artifact
 * @throws RadialError RC08xx, RC0901, RC0902; the signal's reason when aborted
 */
export async function load(source: string | URL = new URL('.', here), options: LoadOptions = {}): Promise<RadialModel> {
  const files = openFiles(source, options);
  const manifest = await readManifestOf(files);
  const report = progressOf(manifest, files, options);
  const read = async (entry: FileEntry): Promise<Uint8Array> => {
    const bytes = new Uint8Array(entry.bytes);
    await readEntry(files, entry, bytes);
    report('progress', entry.file, entry.bytes);
    return bytes;
  };
  for (const entry of unusedFiles(manifest, files)) await read(entry);
  const wasm = await read(manifest.wasm);
  report('compile', manifest.wasm.file, 0);
  const tokenizer = await readTokenizer(manifest.tokenizer, read);
  const fillWeights = async (weights: Uint8Array): Promise<void> => {
    let at = 0;
    for (const entry of manifest.weights) {
      await readEntry(files, entry, weights.subarray(at, at + entry.bytes));
      at += entry.bytes;
      report('progress', entry.file, entry.bytes);
    }
  };
  const model = await createModel({ info: manifest.program, wasm, fillWeights, tokenizer, where: files.where });
  options.signal?.throwIfAborted();
  report('ready', '', 0);
  options.signal?.throwIfAborted();
  return model;
}

/**
 * The manifest of an artifact, without loading the rest.
 * @throws RadialError RC0801 to RC0805, RC0809 to RC0811, RC0816, RC0817
 */
export async function inspect(source: string | URL, options: LoadOptions = {}): Promise<Manifest> {
  return readManifestOf(openFiles(source, options));
}

function openFiles(source: unknown, options: LoadOptions): ArtifactFiles {
  checkNames(options, ['signal', 'onProgress', 'fetch', 'allowRedirects']);
  const { signal, onProgress, fetch: customFetch } = options;
  signalOption(signal);
  functionOption('onProgress', onProgress);
  functionOption('fetch', customFetch);
  const allowRedirects = booleanOption('allowRedirects', options.allowRedirects);
  signal?.throwIfAborted();
  const node = nodeModules();
  const url = addressOf(source);
  if (url === undefined || url.protocol === 'file:') {
    if (node !== undefined) {
      return folderFiles(node, url === undefined ? String(source) : pathOf(url, node), signal);
    }
    const page = pageAddress();
    if (url === undefined && page !== undefined) return openFiles(new URL(String(source), page), options);
  }
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    return fail('RC0817', `${JSON.stringify(String(source))} cannot be loaded from`, {
      help: 'give an http or https address, or, in Node, a folder',
    });
  }
  const base = new URL(url);
  base.pathname = base.pathname.replace(/\/manifest\.json$/, '/').replace(/[^/]$/, '$&/');
  return addressFiles(base, { fetch: customFetch ?? ((...args) => fetch(...args)), allowRedirects, signal });
}

/** The path of a file address, which may name another machine or be badly escaped. */
function pathOf(url: URL, node: NodeModules): string {
  try {
    return node.url.fileURLToPath(url);
  } catch (error) {
    return fail('RC0817', `${JSON.stringify(url.href)} is no address of a folder here`, {
      help: 'give the path of the folder',
      cause: error,
    });
  }
}

/** The URL that the source is, or undefined for a path. `C:\model` is a path. */
function addressOf(source: unknown): URL | undefined {
  if (source instanceof URL) return source;
  if (typeof source !== 'string' || source === '') {
    return fail('RC0817', 'the first argument of load is no folder and no address', {
      help: 'give a URL, or a text that is not empty',
    });
  }
  if (!/^[a-z][a-z0-9+.-]+:/i.test(source)) return undefined;
  return URL.canParse(source) ? new URL(source) : undefined;
}

/** Files that are not needed to run, but are checked where they are at hand. */
function unusedFiles({ loader, ir }: Manifest, { local }: ArtifactFiles): readonly FileEntry[] {
  return local ? [...loader, ...ir] : [];
}

type Report = (status: 'progress' | 'compile' | 'ready', file: string, bytes: number) => void;

function progressOf(manifest: Manifest, files: ArtifactFiles, { onProgress }: LoadOptions): Report {
  const { wasm, weights, tokenizer } = manifest;
  const total = [wasm, ...weights, ...tokenizer, ...unusedFiles(manifest, files)].reduce(
    (sum, { bytes }) => sum + bytes,
    0,
  );
  let loaded = 0;
  return (status, file, bytes) => {
    loaded += bytes;
    onProgress?.({ status, file, loaded, total });
  };
}

async function readTokenizer(
  entries: readonly FileEntry[],
  read: (entry: FileEntry) => Promise<Uint8Array>,
): Promise<TokenizerFiles | undefined> {
  const [first, second] = entries;
  if (first?.file !== 'tokenizer.json') return undefined;
  return { tokenizer: await read(first), config: second === undefined ? undefined : await read(second) };
}
