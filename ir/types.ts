/**
 * @file The network IR: a transformer as a graph of residual blocks that a token walks.
 *
 * A network has constants, an `entry` region (token to hidden state), blocks, and an `exit` region (hidden state
 * to logits). Every node is readonly data. Blocks and the entry have an *edge*: a successor list and, where it
 * names more than one place, a router that chooses among them for each token.
 */
import type { OpKind } from './ops/table.ts';
import type { Attrs, TensorType } from './tensor-type.ts';

export type { Attr, Attrs, Dim, DType, TensorType } from './tensor-type.ts';

/** A value defined in a region: `%x`. Scoped to the region. */
export type Local = `%${string}`;
/** A constant of the module: `@embed`. */
export type Global = `@${string}`;
export type Ref = Local | Global;

/** Where a node stood in a `.rir` file; never printed, never compared. */
export interface SourceSpan {
  readonly line: number;
  readonly column: number;
}

/**
 * One operation. Operands are positional, in the order of the op's `operands` in the table; `extras` are its
 * optional operands by name.
 */
export interface Op {
  readonly kind: OpKind;
  readonly operands: readonly Ref[];
  readonly extras: Readonly<Record<string, Ref>>;
  readonly attrs: Attrs;
  readonly result: Local;
  readonly type: TensorType;
  readonly span?: SourceSpan;
}

/** A constant: an operation over other constants, evaluated once, when the program is built. */
export interface Const {
  readonly name: Global;
  readonly kind: OpKind;
  readonly operands: readonly Global[];
  readonly attrs: Attrs;
  readonly type: TensorType;
  readonly span?: SourceSpan;
}

export interface Param {
  readonly name: Local;
  readonly type: TensorType;
  readonly span?: SourceSpan;
}

/** Straight-line code in SSA form that ends in `yield`. */
export interface Region {
  readonly params: readonly Param[];
  readonly ops: readonly Op[];
  readonly result: Local;
  /** Where it begins. */
  readonly span?: SourceSpan;
  readonly yieldSpan?: SourceSpan;
}

/** A block's number. It is its identity: passes remove blocks, but never renumber them. */
export type BlockId = number;
export type Successor = BlockId | 'exit';

/**
 * Decides, per token, which successor is next; what the caller's route says goes before.
 * `external`: the first.
 * `gate`: the first in the list whose gate is open; blocks without a gate, and the exit, are open always.
 * `hub`: the one that the network's `hub` gives the highest score.
 * `oracle_input`, `oracle_output`: the first in the list whose residual ratio, ‖f‖ / ‖x‖ or ‖f‖ / ‖x + f‖, is not below
 * the threshold. An oracle has computed what it skips: it is there to measure with, and saves no time.
 */
export interface Router {
  readonly kind: 'external' | 'gate' | 'hub' | OracleKind;
}

export type OracleKind = 'oracle_input' | 'oracle_output';

/** `router` is null exactly when there is one successor. */
export interface Edge {
  readonly router: Router | null;
  readonly successors: readonly Successor[];
  readonly span?: SourceSpan;
}

/**
 * A residual branch. Its region takes the hidden state and the positions and yields the next hidden state.
 * `attention` blocks hold exactly one `attention` op, `mlp` blocks none.
 */
export interface Block {
  readonly id: BlockId;
  readonly role: 'attention' | 'mlp';
  /** Hidden state to one score, a logit: open where its sigmoid is above the threshold. */
  readonly gate?: Region;
  readonly body: Region;
  readonly edge: Edge;
  readonly span?: SourceSpan;
}

/** What an attention block knows of a token that passed it over. See the interpreter for the definitions. */
export type KvPolicy = 'absent' | 'project' | 'latest';
/** What a second visit of a token to the same attention block does to its earlier entry. */
export type RevisitRule = 'overwrite' | 'append';
/** By what the branch of a block is scaled: nothing, or the probability that the router gave to the block. */
export type Weighting = 'none' | 'probability';

export interface Routing {
  readonly kv: KvPolicy;
  readonly revisit: RevisitRule;
  /** A token that has executed this many blocks goes to `exit`. */
  readonly maxHops: number;
  /** Probability that a gate's score must exceed, or ratio that an oracle wants, 0 to 1; default 0.5. */
  readonly threshold?: number;
  /** Tokens at positions before this one find every gate open, and take the first successor of a hub; default 0. */
  readonly anchors?: number;
  /** Default `none`. See the interpreter for the probabilities. */
  readonly weighting?: Weighting;
}

export type Task = 'causal-lm' | 'image-classification';

export interface Network {
  readonly stage: 'network';
  readonly name: string;
  readonly task: Task;
  /** Positions 0 … context - 1 exist. */
  readonly context: number;
  readonly routing: Routing;
  /** Each uses only those above it. */
  readonly consts: readonly Const[];
  /** (ids, positions) or (pixels) to hidden state. */
  readonly entry: Region & { readonly edge: Edge };
  /** (hidden state, hops so far) to scores: column b of block ^b, the last one of the exit. */
  readonly hub?: Region;
  /** In ascending order of id. */
  readonly blocks: readonly Block[];
  /** Hidden state to logits. */
  readonly exit: Region;
  readonly span?: SourceSpan;
}
