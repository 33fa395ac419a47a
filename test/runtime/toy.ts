/**
 * @file A program small enough to know by heart, with everything that an artifact has, for tests of the runtime.
 *
 * The state is a sum. A token adds its id, and for each block of its walk `block + 1` (without walks: nothing). The most
 * likely next token is the sum modulo the vocabulary; the others follow the weight image, which is a bias.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import binaryen from 'binaryen';
import { describeProgram, fillWeights, writeArtifact } from '../../compiler/artifact/index.ts';
import type { ArtifactContents, ExtraFile } from '../../compiler/artifact/index.ts';
import type { Buffer, Edge, KernelProgram, Successor, WeightSource } from '../../ir/index.ts';
import { createModel } from '../../runtime/index.ts';
import type { RadialModel } from '../../runtime/index.ts';
import type { Tokens } from '../../runtime/artifact/index.ts';

export const VOCAB = 16;
export const CONTEXT = 24;
const CHUNK = 4;
const HEAD_ROWS = 2;
const MAX_HOPS = 5;
const WEIGHTS_AT = 8192;

export interface ToyOptions {
  readonly routed?: boolean;
  readonly tokens?: Partial<Tokens>;
  readonly tokenizer?: readonly ExtraFile[];
  /** Replaces the module's text. */
  readonly change?: (wat: string) => string;
}

const state = (name: Buffer['name'], rows: Buffer['rows'], columns: number, at: number): Buffer => {
  const dtype = name === '$x' || name === '$logits' ? 'f32' : 'i32';
  return { name, dtype, rows, columns, scope: 'state', at };
};

/** Four blocks; routed ones lead to every later block, to themselves and to the exit. */
export function toyProgram(routed = false): KernelProgram {
  const edge = (after: number): Edge => {
    const next: Successor = after + 1 < 4 ? after + 1 : 'exit';
    if (!routed) return { router: null, successors: [next] };
    const others = [0, 1, 2, 3, 'exit'] as const;
    return {
      router: { kind: 'external' },
      successors: [next, ...others.filter((other) => other !== next && other !== after - 2)],
    };
  };
  const walk = routed ? [state('$walk', 'chunk', MAX_HOPS + 1, 1024)] : [];
  return {
    stage: 'kernel',
    name: 'toy',
    task: 'causal-lm',
    context: CONTEXT,
    routing: { kv: 'absent', revisit: 'overwrite', maxHops: MAX_HOPS },
    chunk: CHUNK,
    headRows: HEAD_ROWS,
    sequences: 1,
    consts: [
      { name: '@bias', kind: 'tensor', operands: [], attrs: { name: 'bias' }, type: { dtype: 'f32', shape: [VOCAB] } },
    ],
    weights: [{ name: '@bias', shape: [VOCAB], layout: 'rows', at: 0 }],
    buffers: [
      state('$ids', 'chunk', 1, 64),
      ...walk,
      state('$x', 'chunk', 8, 2048),
      state('$logits', 'head', VOCAB, 4096),
    ],
    kv: null,
    memory: { weightsAt: WEIGHTS_AT, weightsBytes: VOCAB * 4, total: 65_536 },
    bodies: [],
    entry: { body: 'entry', args: [], edge: edge(-1) },
    blocks: [0, 1, 2, 3].map((id) => ({
      id,
      body: 'block',
      args: [],
      role: id % 2 === 0 ? 'attention' : 'mlp',
      list: null,
      edge: edge(id),
    })),
    exit: { body: 'exit', args: [] },
  };
}

export const toySource: WeightSource = {
  shape: (name) => (name === 'bias' ? [VOCAB] : undefined),
  read: (_name, from, to) => Float32Array.from({ length: to - from }, (_, i) => ((from + i) * 7) % 5),
  names: () => ['bias'],
};

function toyWasm({ routed = false, change = (wat) => wat }: ToyOptions = {}): Uint8Array {
  const module = binaryen.parseText(change(text(routed)));
  try {
    if (module.validate() === 0) throw new Error('the toy module is not valid');
    return module.emitBinary();
  } finally {
    module.dispose();
  }
}

function text(routed: boolean): string {
  const walk = `
    (local.set $at (i32.add (i32.const 1024) (i32.mul (local.get $row) (i32.const ${4 * (MAX_HOPS + 1)}))))
    (block $done (loop $hops
      (br_if $done (i32.eq (i32.load (local.get $at)) (i32.const 0x7fffffff)))
      (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.add (i32.const 1) (i32.load (local.get $at)))))
      (local.set $at (i32.add (local.get $at) (i32.const 4)))
      (br $hops)))`;
  return `(module
  (memory (export "memory") 1 1)
  (func (export "reset") (i32.store (i32.const 0) (i32.const 0)))
  (func $step (param $row i32) (local $at i32)
    (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.load offset=64 (i32.mul (local.get $row) (i32.const 4)))))
    ${routed ? walk : ''}
    (f32.store offset=2048 (i32.mul (local.get $row) (i32.const 32)) (f32.convert_i32_s (i32.load (i32.const 0)))))
  (func (export "prefill") (param $first i32) (param $count i32) (local $row i32)
    (loop $rows
      (call $step (local.get $row))
      (local.set $row (i32.add (local.get $row) (i32.const 1)))
      (br_if $rows (i32.lt_s (local.get $row) (local.get $count)))))
  (func (export "decode") (param $position i32) (call $step (i32.const 0)))
  (func (export "head") (param $row i32) (param $count i32) (local $i i32) (local $j i32) (local $at i32)
    (loop $rows
      (local.set $j (i32.const 0))
      (loop $columns
        (local.set $at (i32.mul (i32.const 4) (i32.add (local.get $j) (i32.mul (local.get $i) (i32.const ${VOCAB})))))
        (f32.store offset=4096 (local.get $at) (f32.load offset=${WEIGHTS_AT} (i32.mul (local.get $j) (i32.const 4))))
        (if (i32.eq (local.get $j) (i32.rem_s
              (i32.trunc_f32_s (f32.load offset=2048 (i32.mul (i32.const 32) (i32.add (local.get $row) (local.get $i)))))
              (i32.const ${VOCAB})))
          (then (f32.store offset=4096 (local.get $at) (f32.const 10))))
        (local.set $j (i32.add (local.get $j) (i32.const 1)))
        (br_if $columns (i32.lt_s (local.get $j) (i32.const ${VOCAB}))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $rows (i32.lt_s (local.get $i) (local.get $count))))))`;
}

/** The ids that greedy decoding gives after a prompt, without walks. */
export function toyGreedy(prompt: readonly number[], count: number): readonly number[] {
  let sum = prompt.reduce((total, id) => total + id, 0);
  return Array.from({ length: count }, () => {
    const id = sum % VOCAB;
    sum += id;
    return id;
  });
}

const bytes = (string: string): Uint8Array => new TextEncoder().encode(string);

export const toyLoader: readonly ExtraFile[] = [
  { file: 'index.d.ts', bytes: bytes('export declare const load: unknown;\n') },
  { file: 'index.js', bytes: bytes('export const load = 1;\n') },
  { file: 'tokenizer.js', bytes: bytes('export const createTokenizer = 1;\n') },
];

/** Checked by its hash only. */
const toyIr: readonly ExtraFile[] = [
  { file: 'kernels.rir', bytes: bytes('kernels of the toy\n') },
  { file: 'network.rir', bytes: bytes('network of the toy\n') },
];

/** Ids 0 … 15 are the byte tokens of "0123456789 abc", then the two halves of "é". */
function toyTokenizer(): readonly ExtraFile[] {
  const tokens = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '\u0120', 'a', 'b', 'c', '\u00c3', '\u00a9'];
  const vocab = Object.fromEntries(tokens.map((token, id) => [token, id]));
  const model = { type: 'BPE', vocab, merges: [], unk_token: null, byte_fallback: false };
  const level = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
  const tokenizer = {
    version: '1.0',
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: level,
    post_processor: null,
    decoder: level,
    model,
  };
  return [
    { file: 'tokenizer.json', bytes: bytes(JSON.stringify(tokenizer)) },
    { file: 'tokenizer_config.json', bytes: bytes('{"add_bos_token":false}') },
  ];
}

export function toyContents(options: ToyOptions = {}): ArtifactContents {
  const program = toyProgram(options.routed);
  const tokens = { bos: null, addBos: false, eos: [], ...options.tokens };
  const info = describeProgram(program, { family: 'toy', target: 'wasm-simd', dtype: 'fp32', tokens, labels: [] });
  const tokenizer = options.tokenizer ?? toyTokenizer();
  return { info, program, source: toySource, wasm: toyWasm(options), version: '0.0.0', tokenizer, ir: toyIr };
}

/** Writes an artifact into a new folder, which `use` gets. */
export async function withToy<T>(options: ToyOptions, use: (folder: string) => Promise<T>): Promise<T> {
  return withFolder(async (folder) => {
    const out = join(folder, 'toy');
    await writeArtifact(toyContents(options), out, { loader: toyLoader });
    return use(out);
  });
}

/** A folder that is gone afterwards. */
export async function withFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'radial-'));
  try {
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** For `assert.rejects` and `assert.throws`: an error of this code, which says what would help. */
export function hasCode(code: string, message = /(?:)/): (error: unknown) => boolean {
  return (error) => {
    if (!(error instanceof Error) || error.name !== 'RadialError' || !('diagnostics' in error)) throw error;
    const [diagnostic] = error.diagnostics as readonly { readonly code: string; readonly help?: string }[];
    if (diagnostic?.code !== code || !message.test(error.message)) throw error;
    if (/^RC0[89]/.test(code) && diagnostic.help === undefined) throw new Error(`no help: ${error.message}`);
    return true;
  };
}

/** The toy in memory. */
export async function toyModel(options: ToyOptions = {}): Promise<RadialModel> {
  const { info, wasm, program, source, tokenizer } = toyContents(options);
  const [json, config] = tokenizer;
  return createModel({
    info,
    wasm,
    fillWeights: (into) => fillWeights(program, source, { into }),
    tokenizer: json === undefined ? undefined : { tokenizer: json.bytes, config: config?.bytes },
  });
}
