/**
 * @file The artifact format: what `manifest.json` says. The compiler writes it, the runtime reads it.
 *
 *     manifest.json                 this, with its own hash
 *     model.wasm                    the program
 *     weights/00000-<sha256>.bin    the weight image, cut into pieces of 16 MiB
 *     tokenizer.json, tokenizer_config.json      where the program has a tokenizer
 *     index.js, index.d.ts, tokenizer.js         the runtime
 *     network.rir, kernels.rir                   what the program was made of, for people and tools; never loaded
 *
 * The module exports `memory`, of `memory.bytes` bytes that never grow, and
 *   `reset()`                forgets all sequences,
 *   `prefill(first, count)`  runs the tokens at positions first … first + count - 1, whose ids are rows of `ids`,
 *   `decode(position)`       runs the token whose id is row 0 of `ids`,
 *   `head(row, count)`       makes `count` rows of logits from the hidden states of rows row … row + count - 1.
 * A program for several sequences reads in `sequences` which one each row belongs to, and exports
 *   `step(count, forward)`   runs `count` rows together, each the next token of another sequence, at the positions in
 *                            `positions`; `forward` is 1 where walks lead forward only and routers, if any, decide in a sweep,
 *   `forget(sequence)`       makes place for a new sequence.
 * Where a hop of `walk` is -1, the routers of the program decide, and write what they decide there.
 * An image program takes `pixels` instead of ids: `prefill(0, context)`, then `head(0, 1)`.
 * All numbers in memory are little endian.
 */

export const FORMAT = 'radial-artifact';
/** Raised when an older runtime could not run a newer artifact correctly. */
export const FORMAT_VERSION = 1;
/** Bytes of a weight chunk; only the last one may be smaller. */
export const CHUNK_BYTES = 16 * 1024 * 1024;
/** Ends the walk of a token in memory. */
export const WALK_END = 0x7fff_ffff;
/** Leaves a hop to the routers. */
export const WALK_DECIDE = -1;
/** Numbers that a block with a probe reports of each token: norms of its input, of its branch and of their sum. */
export const PROBE_COLUMNS = 3;
/** What such a block reports of its KV list, see {@link ForwardResult.kvProbes}: three norms each. */
export const kvReports = ['latest_k', 'latest_v', 'project_k', 'project_v', 'absent'] as const;
export type KvReport = (typeof kvReports)[number];
export const KV_PROBE_COLUMNS = kvReports.length * PROBE_COLUMNS;

export const MANIFEST_FILE = 'manifest.json';
export const WASM_FILE = 'model.wasm';
export const WEIGHTS_FOLDER = 'weights';
export const TOKENIZER_FILES = ['tokenizer.json', 'tokenizer_config.json'] as const;
export const LOADER_FILES = ['index.d.ts', 'index.js', 'tokenizer.js'] as const;

export const IR_FILES = ['kernels.rir', 'network.rir'] as const;

export interface FileEntry {
  /** Relative to the manifest. */
  readonly file: string;
  readonly bytes: number;
  /** 64 lower-case hexadecimal digits. */
  readonly sha256: string;
}

/** A place in linear memory; row i starts at `at + 4 · stride · i`. */
export interface Rows {
  /** Byte address. */
  readonly at: number;
  readonly rows: number;
  /** Elements from row to row. */
  readonly stride: number;
}

/** Buffers by which the caller and the program talk; null where the program has none. */
export interface Abi {
  /** i32 [chunk]. */
  readonly ids: Rows | null;
  /** i32 [chunk]. */
  readonly positions: Rows | null;
  /** i32 [chunk]. Only in programs for several sequences. */
  readonly sequences: Rows | null;
  /** f32 [1, channels · size · size], channel by channel. */
  readonly pixels: Rows | null;
  /** i32 [chunk, maxHops + 1]: blocks in the order of execution, then {@link WALK_END}. Only if `needsWalk`. */
  readonly walk: Rows | null;
  /** f32 [1, 1]: what the score of a gate must exceed, a logit, or the ratio that an oracle wants. Only in such programs. */
  readonly level: Rows | null;
  /** f32 [chunk, hidden]. */
  readonly hidden: Rows;
  /** f32 [headRows, outputs]. */
  readonly logits: Rows;
  /** f32 [chunk, {@link PROBE_COLUMNS} · (last block + 1)]: what each block of the walk did to the hidden state. */
  readonly probes: Rows | null;
  /** f32 [chunk, {@link KV_PROBE_COLUMNS} · (last block + 1)]: what KV policies would leave of tokens that skip. */
  readonly kvProbes: Rows | null;
}

export const routerKinds = ['external', 'gate', 'hub', 'oracle_input', 'oracle_output'] as const;
export type RouterKind = (typeof routerKinds)[number];

/** True where an oracle decides: its threshold is a residual ratio, not a probability. */
export function asksOracle({ entry, blocks }: Pick<RoutingInfo, 'entry' | 'blocks'>): boolean {
  return [entry, ...blocks].some(({ router }) => router?.startsWith('oracle') ?? false);
}

export interface EdgeInfo {
  /** Block ids and `exit`; the first one is the default. */
  readonly successors: readonly (number | 'exit')[];
  /**
   * Who chooses among several successors where no walk says: the first one is taken (`external`), or the first that is open
   * (`gate`), or the one with the highest score (`hub`), or the first whose residual ratio, ‖f‖ / ‖x‖ (`oracle_input`) or
   * ‖f‖ / ‖x + f‖ (`oracle_output`), is not below the threshold. Null when there is one.
   */
  readonly router: RouterKind | null;
}

export interface BlockInfo extends EdgeInfo {
  readonly id: number;
  readonly role: 'attention' | 'mlp';
  /** Whether gate edges ask before they lead here. */
  readonly gated: boolean;
}

export interface RoutingInfo {
  /** What an attention block knows of a token that passed it over. */
  readonly kv: 'absent' | 'project' | 'latest';
  /** What a second visit of a token to an attention block does to its entry there. */
  readonly revisit: 'overwrite' | 'append';
  /** A token that has executed this many blocks goes to the exit. */
  readonly maxHops: number;
  /** Whether the caller must write the walk of each token. */
  readonly needsWalk: boolean;
  /**
   * How routers decide where a walk is left open: `sweep`, also in `prefill`; `hop`, only in `decode`. Null without gates
   * and hub.
   */
  readonly decides: 'sweep' | 'hop' | null;
  /** Probability that the score of a gate must exceed, unless the caller says otherwise. */
  readonly threshold: number;
  /** Tokens at positions before this one are not skipped by gates or hub. */
  readonly anchors: number;
  /** There if blocks scale what they add by the probability that the router gave them. */
  readonly weighting?: 'probability';
  readonly entry: EdgeInfo;
  /** In ascending order of id. */
  readonly blocks: readonly BlockInfo[];
}

export interface ImageInfo {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

export interface Shapes {
  readonly hidden: number;
  /** Token ids 0 … vocabulary - 1 exist. */
  readonly vocabulary: number;
  /** Length of a row of logits: one for each token id, or for each label. */
  readonly outputs: number;
  /** Positions 0 … context - 1 exist; of an image program, its number of tokens. */
  readonly context: number;
  /** Most tokens that `prefill` takes at a time. */
  readonly chunk: number;
  /** Most rows that `head` takes at a time. */
  readonly headRows: number;
  /** Sequences 0 … sequences - 1 exist. */
  readonly sequences: number;
  readonly image: ImageInfo | null;
}

export interface KvInfo {
  /** Entries of a page. */
  readonly slots: number;
  readonly pageBytes: number;
  /** Of all sequences together. */
  readonly pages: number;
  readonly pagesPerList: number;
  /** Of each sequence. */
  readonly lists: number;
  /** Bytes that a token leaves when it visits each attention block once. */
  readonly bytesPerTokenStatic: number;
  /** Bytes that a token leaves at most. */
  readonly bytesPerTokenWorst: number;
}

export interface Tokens {
  readonly bos: number | null;
  /** Whether a text starts with `bos`. */
  readonly addBos: boolean;
  /** Ids that end a text. */
  readonly eos: readonly number[];
}

/** What one must know to drive a program that is in memory already. */
export interface ProgramInfo {
  readonly name: string;
  readonly task: 'causal-lm' | 'image-classification';
  /** For example `opt`. */
  readonly family: string;
  readonly target: string;
  readonly dtype: string;
  readonly shapes: Shapes;
  /** Names of the outputs of an image program, or nothing. */
  readonly labels: readonly string[];
  readonly tokens: Tokens;
  readonly routing: RoutingInfo;
  readonly kv: KvInfo | null;
  readonly memory: { readonly bytes: number; readonly weightsAt: number; readonly weightsBytes: number };
  readonly abi: Abi;
}

export interface Manifest {
  readonly format: typeof FORMAT;
  readonly formatVersion: typeof FORMAT_VERSION;
  readonly producer: { readonly name: string; readonly version: string };
  readonly program: ProgramInfo;
  readonly wasm: FileEntry;
  readonly weights: readonly FileEntry[];
  readonly tokenizer: readonly FileEntry[];
  readonly loader: readonly FileEntry[];
  readonly ir: readonly FileEntry[];
  /** Of the manifest's text with this field empty. */
  readonly sha256: string;
}

export type UnsignedManifest = Omit<Manifest, 'sha256'>;

/** The manifest's text, one line for each leaf object: the only text that a reader accepts for these contents. */
export function manifestText(manifest: Manifest): string {
  return `${print(manifest, '')}\n`;
}

/** The text whose hash is `sha256`. */
export function textToSign(manifest: UnsignedManifest): string {
  return manifestText({ ...manifest, sha256: '' });
}

/** The name of weight chunk `index`. */
export function chunkFile(index: number, sha256: string): string {
  return `${WEIGHTS_FOLDER}/${String(index).padStart(5, '0')}-${sha256}.bin`;
}

function print(value: unknown, indent: string): string {
  if (typeof value !== 'object' || value === null || Object.values(value).every(isLeaf)) return JSON.stringify(value);
  const inner = `${indent} `;
  const [open, close] = Array.isArray(value) ? '[]' : '{}';
  const lines = Object.entries(value).map(([key, item]) => {
    return `${inner}${Array.isArray(value) ? '' : `${JSON.stringify(key)}:`}${print(item, inner)}`;
  });
  return `${open}\n${lines.join(',\n')}\n${indent}${close}`;
}

function isLeaf(value: unknown): boolean {
  if (Array.isArray(value)) return value.every((item) => typeof item !== 'object' || item === null);
  return typeof value !== 'object' || value === null;
}
