/** @file Runs commands in this process, and makes the small checkpoints that they are run on. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createColors } from 'picocolors';
import type { Progress } from '../../../compiler/cli/io.ts';
import { runCli } from '../../../compiler/cli/program.ts';
import { initCheckpoint } from '../../../compiler/frontend/index.ts';
import type { JsonObject } from '../../../compiler/frontend/index.ts';

const plain = createColors(false);
const silent: Progress = { update: () => undefined, stop: () => undefined };

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

interface RunSettings {
  readonly stdin?: string;
  /** Gets all that is written so far. */
  readonly flush?: (stdout: string) => Promise<void>;
  /** Gets each text that is written to stdout. */
  readonly onWrite?: (text: string) => void;
  readonly signal?: AbortSignal;
  readonly progress?: Progress;
}

/** Runs one command line. */
export async function radialc(args: readonly string[], settings: RunSettings = {}): Promise<Ran> {
  const { stdin = '', signal = new AbortController().signal, progress = silent } = settings;
  let [stdout, stderr] = ['', ''];
  const code = await runCli(args, {
    write: (text) => {
      stdout += text;
      settings.onWrite?.(text);
    },
    flush: async () => settings.flush?.(stdout),
    out: (line) => void (stdout += `${line}\n`),
    err: (line) => void (stderr += `${line}\n`),
    colors: { out: plain, err: plain },
    stdin: () => new TextEncoder().encode(stdin),
    signal,
    interrupted: () => (signal.aborted ? 130 : undefined),
    progress: () => progress,
  });
  return { code, stdout, stderr };
}

/** Runs a command line that must end well, and gives its stdout. */
export async function ok(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await radialc(args);
  assert.equal(code, 0, stderr);
  return stdout;
}

/** The same with `--format=json`. */
export async function okJson<T>(...args: readonly string[]): Promise<T> {
  return JSON.parse(await ok(...args, '--format=json')) as T;
}

/** Runs a command line that must end in this diagnostic, with exit code 1; gives stderr. */
export async function fails(code: string, ...args: readonly string[]): Promise<string> {
  const ran = await radialc(args);
  assert.equal(ran.code, 1, ran.stderr);
  assert.ok(ran.stderr.startsWith(`error[${code}]: `), ran.stderr);
  return ran.stderr;
}

/** A folder for the tests of this `describe`; the tests are skipped where the runtime is not built. */
export function scratch(): (...parts: readonly string[]) => string {
  let folder = '';
  before(function () {
    if (!existsSync(fileURLToPath(new URL('../../../dist/runtime-bundle/index.js', import.meta.url)))) this.skip();
    folder = mkdtempSync(join(tmpdir(), 'radialc-cli-'));
  });
  after(() => {
    if (folder !== '') rmSync(folder, { recursive: true, force: true });
  });
  return (...parts) => join(folder, ...parts);
}

export const optConfig = {
  model_type: 'opt',
  vocab_size: 32,
  hidden_size: 16,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  ffn_dim: 32,
  max_position_embeddings: 48,
  word_embed_proj_dim: 16,
  bos_token_id: 2,
  eos_token_id: 2,
} as const;

export const vitConfig = {
  model_type: 'vit',
  hidden_size: 12,
  num_hidden_layers: 1,
  num_attention_heads: 3,
  intermediate_size: 20,
  image_size: 8,
  patch_size: 4,
  num_channels: 1,
  num_labels: 5,
} as const;

const letters = Array.from({ length: 26 }, (_, i) => String.fromCharCode(0x61 + i));

/** Letters, the space, the full stop and one merge; `</s>` (id 2) starts each text. */
export function tokenizerJson(): JsonObject {
  const tokens = ['<s>', '<pad>', '</s>', ...letters, '\u0120', '.', 'th'];
  const special = (id: number): JsonObject => ({ id, content: tokens[id] ?? '', special: true });
  const level = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
  return {
    version: '1.0',
    added_tokens: [0, 1, 2].map(special),
    normalizer: null,
    pre_tokenizer: level,
    post_processor: {
      type: 'TemplateProcessing',
      single: [{ SpecialToken: { id: '</s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
      pair: [],
      special_tokens: { '</s>': { id: '</s>', ids: [2], tokens: ['</s>'] } },
    },
    decoder: level,
    model: {
      type: 'BPE',
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges: ['t h'],
      unk_token: null,
      byte_fallback: false,
    },
  };
}

interface CheckpointSettings {
  readonly config?: JsonObject;
  readonly seed?: number;
  /** Of tokenizer.json; null: none. */
  readonly tokenizer?: JsonObject | null;
}

/** Writes a checkpoint of random weights; by default a language model with its tokenizer. */
export async function checkpoint(dir: string, settings: CheckpointSettings = {}): Promise<void> {
  const { config = optConfig, seed = 1, tokenizer = tokenizerJson() } = settings;
  await initCheckpoint({ config: { init_std: 0.3, initializer_range: 0.3, ...config }, seed, outDir: dir });
  if (tokenizer !== null && config.model_type !== 'vit') {
    writeFileSync(join(dir, 'tokenizer.json'), JSON.stringify(tokenizer));
  }
}

/** Every file of a folder, relative, sorted. */
export function filesOf(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}

export function readJson(path: string): unknown {
  return JSON.parse(readFileSync(path, 'utf8'));
}

export function writeJson(path: string, value: unknown): string {
  writeFileSync(path, JSON.stringify(value));
  return path;
}

/** The dumped phase after the last run of a pass. */
export function phaseFile(folder: string, pass: string): string {
  const name = readdirSync(folder)
    .sort()
    .findLast((file) => file.endsWith(`.${pass}.rir`));
  assert.ok(name !== undefined, `no phase of ${pass}`);
  return join(folder, name);
}
