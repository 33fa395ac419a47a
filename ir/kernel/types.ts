/**
 * @file The kernel IR: a compiled program as lists of fused kernels over planned memory, neutral of the target.
 *
 * A *body* is the code of one residual block (or of the entry, or of the exit) with its weights as formal parameters;
 * blocks of equal shape share a body. A body runs on a *row list*: the tokens of the chunk in flight that are at this
 * block now, in order of position. A `routed` view reaches row `list[i]`, any other view row `i`. In decode the list has
 * one row. A kernel whose output has a fixed number of rows and is not routed computes these, whatever the list.
 *
 * f32 buffers have row stride `strideOf(buffer)`, a multiple of {@link PANEL}; what lies between `columns` and the stride
 * is scratch that any kernel may write. i32 buffers are dense.
 */
import type { Attrs } from '../tensor-type.ts';
import type { BlockId, Const, Edge, Global, Routing, SourceSpan, Task } from '../types.ts';
import type { KernelKind } from './table.ts';

/** Columns of a packed weight panel: `panels` is [ceil(out / PANEL)][in][PANEL], zero where out is exceeded. */
export const PANEL = 8;
/** Alignment in bytes of buffers and weights. */
export const ALIGNMENT = 64;

export type BufferName = `$${string}`;

/**
 * `rows`: row-major as it is. `panels`: packed for GEMM and GEMV; an `embed` may read it too. `int8`: the same, of rows that
 * are rounded as `int8.ts` says; a panel is PANEL scales, f32, then the whole numbers, [ceil(in / 2)][PANEL][2], zero where
 * in is exceeded.
 */
export type WeightLayout = (typeof weightLayouts)[number];
export const weightLayouts = ['rows', 'panels', 'int8'] as const;

/** A constant that the program carries, in the order of the weight image. */
export interface Weight {
  /** The constant. */
  readonly name: Global;
  readonly shape: readonly number[];
  readonly layout: WeightLayout;
  /** Byte offset in the weight image; null until plan-memory. */
  readonly at: number | null;
  readonly span?: SourceSpan;
}

/**
 * How long a buffer's content must live.
 * `state`: across bodies (hidden state, ids, logits, control arrays); `scratch`: inside one run of one body.
 */
export type BufferScope = 'state' | 'scratch';

export interface Buffer {
  readonly name: BufferName;
  readonly dtype: 'f32' | 'i32';
  /** `chunk`: one row for each token in flight; `head`: for each row of logits. */
  readonly rows: number | 'chunk' | 'head';
  readonly columns: number;
  readonly scope: BufferScope;
  /** Byte address; null until plan-memory. */
  readonly at: number | null;
  readonly span?: SourceSpan;
}

/** Columns [from, from + columns) of a buffer. */
export interface View {
  readonly buffer: BufferName;
  readonly from: number;
  readonly columns: number;
  readonly routed: boolean;
}

/** A formal weight parameter of the body. */
export interface WeightUse {
  readonly weight: Global;
}

export type Input = View | WeightUse;

export interface Kernel {
  readonly kind: KernelKind;
  /** Where the result goes; null for kernels that only write the KV cache. */
  readonly out: View | null;
  /** In the order of the kernel table. */
  readonly inputs: Readonly<Record<string, Input>>;
  readonly attrs: Attrs;
  readonly span?: SourceSpan;
}

export interface Formal {
  readonly name: Global;
  readonly shape: readonly number[];
  readonly layout: WeightLayout;
}

export interface Body {
  readonly name: string;
  readonly formals: readonly Formal[];
  /** What an executing token does. */
  readonly kernels: readonly Kernel[];
  /**
   * Under KV policy `project`: what a token does that passes an attention block over, to leave its K and V there.
   * Ends in `append`. Otherwise empty.
   */
  readonly fill: readonly Kernel[];
  readonly span?: SourceSpan;
}

/** A body with its actual weights. */
export interface Instance {
  readonly body: string;
  readonly args: readonly Global[];
  readonly span?: SourceSpan;
}

export interface BlockInstance extends Instance {
  readonly id: BlockId;
  readonly role: 'attention' | 'mlp';
  /** Index of the block's list in the KV cache; null for MLP blocks. */
  readonly list: number | null;
  /** Scores the rows of the row list: row i of `$router`. */
  readonly gate?: Instance;
  /** The same for rows that the block before has prepared, see `scores`. */
  readonly finish?: Instance;
  /** The first successor, where the block's body prepares the score of its gate. */
  readonly scores?: BlockId;
  readonly edge: Edge;
}

/**
 * The unified KV cache: one pool of equal pages; each attention block has a list of pages and appends in visit order.
 * Where a program holds several sequences, each has a list for each block, and an equal part of the pool for itself.
 *
 * A page holds K then V of `slots` entries. K: [kv_heads][head_dim][slots]; V: [kv_heads][slots][head_dim]; each in
 * its block's own head count, `width` being the largest kv_heads × head_dim of all blocks.
 */
export interface KvPlan {
  readonly slots: number;
  readonly width: number;
  /** Number of lists of a sequence. */
  readonly lists: number;
  /** Pages in the pool: enough for the worst case of all sequences. */
  readonly pages: number;
  /** Most pages that one list can have. */
  readonly pagesPerList: number;
  /** Most entries that one list can have. */
  readonly entriesPerList: number;
  /** Bytes that a token leaves when it visits each attention block once. */
  readonly bytesPerTokenStatic: number;
  /** Bytes that a token leaves at most, given hop cap, policy and revisit rule. */
  readonly bytesPerTokenWorst: number;
  /** Byte address of the pool; null until plan-memory. */
  readonly at: number | null;
}

/** At least two blocks that mostly follow one another, each a successor of the one before: only a hint, which changes no result. */
export interface Trace {
  readonly blocks: readonly BlockId[];
  readonly span?: SourceSpan;
}

/** The regions of linear memory, in bytes. */
export interface MemoryPlan {
  readonly weightsAt: number;
  readonly weightsBytes: number;
  /** Of the whole memory: a multiple of 65,536. */
  readonly total: number;
}

export interface KernelProgram {
  readonly stage: 'kernel';
  readonly name: string;
  readonly task: Task;
  readonly context: number;
  readonly routing: Routing;
  /** Tokens that prefill takes at a time. */
  readonly chunk: number;
  /** Rows of logits that the exit makes at a time. */
  readonly headRows: number;
  /** Sequences that the program holds at once: each has its own KV lists, and takes part in a batch with one token. */
  readonly sequences: number;
  readonly consts: readonly Const[];
  readonly weights: readonly Weight[];
  readonly buffers: readonly Buffer[];
  /** Null until plan-kv-cache, and in programs without attention. */
  readonly kv: KvPlan | null;
  /** Null until plan-memory. */
  readonly memory: MemoryPlan | null;
  readonly bodies: readonly Body[];
  readonly entry: Instance & { readonly edge: Edge };
  /** Scores all successors for the rows of the row list, in `$router`; reads `$hop`. */
  readonly hub?: Instance;
  readonly blocks: readonly BlockInstance[];
  readonly exit: Instance;
  /** Each block is in one at most. */
  readonly traces?: readonly Trace[];
  readonly span?: SourceSpan;
}

/** The hub and the gates. */
export function routerInstances({ hub, blocks }: Pick<KernelProgram, 'hub' | 'blocks'>): readonly Instance[] {
  const ofBlocks = blocks.flatMap(({ gate, finish }) => [gate, finish]);
  return [hub, ...ofBlocks].filter((instance) => instance !== undefined);
}

export function isView(input: Input): input is View {
  return 'buffer' in input;
}

/** Row stride of a buffer in elements. */
export function strideOf(buffer: Pick<Buffer, 'dtype' | 'columns'>): number {
  if (buffer.dtype === 'i32') return buffer.columns;
  return Math.ceil(buffer.columns / PANEL) * PANEL;
}

/** What the rows of buffers depend on. */
type RowSizes = Pick<KernelProgram, 'chunk' | 'headRows'>;

/** Rows that a buffer has room for. */
export function rowCount({ rows }: Pick<Buffer, 'rows'>, { chunk, headRows }: RowSizes): number {
  return rows === 'chunk' ? chunk : rows === 'head' ? headRows : rows;
}

/** Bytes of a buffer, without alignment. */
export function bufferBytes(buffer: Buffer, program: RowSizes): number {
  return rowCount(buffer, program) * strideOf(buffer) * 4;
}

/** Bytes of a panel with so many columns. */
export function panelBytes(layout: 'panels' | 'int8', inner: number): number {
  return layout === 'panels' ? PANEL * inner * 4 : PANEL * 4 + Math.ceil(inner / 2) * PANEL * 2;
}

/** Bytes of a weight in its layout, without alignment. */
export function weightBytes(weight: { readonly shape: readonly number[]; readonly layout: WeightLayout }): number {
  const elements = weight.shape.reduce((product, size) => product * size, 1);
  if (weight.layout === 'rows') return elements * 4;
  const [out = 0, inner = 0] = weight.shape;
  return Math.ceil(out / PANEL) * panelBytes(weight.layout, inner);
}

/**
 * True when tokens can leave the straight line from entry to exit: some edge has a router, or does not lead to the
 * next block of the list. Such a program is driven by a walk for each token; the others need none.
 */
export function needsWalk(program: {
  readonly routing: Routing;
  readonly entry: { readonly edge: Edge };
  readonly blocks: readonly { readonly id: BlockId; readonly edge: Edge }[];
}): boolean {
  const edges = [program.entry.edge, ...program.blocks.map((block) => block.edge)];
  const order = [...program.blocks.map((block) => block.id), 'exit' as const];
  return (
    program.blocks.length > program.routing.maxHops ||
    edges.some((edge, i) => edge.router !== null || edge.successors[0] !== order[i])
  );
}
