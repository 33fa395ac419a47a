/** @file What a study is asked for, and what it finds: plain data, that both the JSON and the report show. Times stand in `timing` alone. */
import type { Diagnostic } from '../../../ir/diagnostics/diagnostic.ts';
import type { KvPolicy, RevisitRule, Router } from '../../../ir/index.ts';
import type { KvBytes } from '../../../passes/index.ts';
import type { Agreement, Quality } from '../eval/score.ts';
import type { InputFile } from '../text/files.ts';

export const STUDY_FORMAT = 'radial-study';
/** Raised when an older reader could not read a newer study correctly. */
export const STUDY_VERSION = 1;

export interface StudyRequest {
  /** A checkpoint folder. */
  readonly model: string;
  /** The dense model, where it is not the same checkpoint: a checkpoint or a compiled program. */
  readonly against?: string | undefined;
  /** Texts. */
  readonly paths: readonly string[];
  /** Default: the context of the models. */
  readonly window?: number | undefined;
  readonly maxTokens: number | null;
  /** Of gates. */
  readonly thresholds?: readonly number[] | undefined;
  /** Thresholds of the oracle; default: such that it skips some, and many, and as much as a learned router. */
  readonly ratios?: readonly number[] | undefined;
  /** A file of `radialc profile`, of the same model. */
  readonly profile?: string | undefined;
  readonly seed: number;
  readonly timing: boolean;
  readonly signal: AbortSignal;
  /** From 0 to 1. */
  readonly onProgress: (share: number) => void;
  /** RC1227. */
  readonly onWarning: (warning: Diagnostic) => void;
}

export type Role = 'attention' | 'mlp';

/** How the path of a token was chosen. */
export const seriesNames = ['dense', 'learned', 'oracle-on', 'oracle-off', 'random', 'static', 'exit'] as const;
export type Series = (typeof seriesNames)[number];

/** Work and traffic of a token as the cost model predicts them; means over tokens. */
export interface Predicted {
  readonly flops: number;
  /** Weights and KV entries that are read. */
  readonly bytes: number;
}

/** A way of routing, on all of the text. */
export interface RoutePoint extends Quality, Agreement {
  readonly series: Series;
  /** Threshold of a gate, or of the residual ratio of an oracle; mean depth that a baseline was asked for. */
  readonly setting: number | null;
  /** Share of the blocks that a token does not execute. */
  readonly skipped: number;
  /** At d: tokens that executed d blocks. */
  readonly depths: readonly number[];
  readonly predicted: Predicted;
  /** KV entries that a token leaves, the mean. */
  readonly kvEntries: number;
}

/** Quartiles over tokens. */
export interface Quartiles {
  readonly p25: number;
  readonly median: number;
  readonly p75: number;
}

/** Residual ratios ‖f‖ / ‖x‖ of a run; null where no token executed the block. */
export interface RatioTable {
  /** Of each block. */
  readonly blocks: readonly (Quartiles | null)[];
  /** [block][bin]: medians. */
  readonly bins: readonly (readonly (number | null)[])[];
}

export interface PassageToken {
  readonly id: number;
  /** What it adds to the text; '' for special tokens and parts of characters. */
  readonly text: string;
  readonly path: readonly number[];
  /** Of each block in the dense run, and where it was executed. */
  readonly dense: readonly (number | null)[];
  readonly routed: readonly (number | null)[];
}

export interface GraphBlock {
  readonly id: number;
  readonly role: Role;
  /** Operations of its body. */
  readonly ops: number;
  readonly gated: boolean;
  readonly successors: readonly (number | 'exit')[];
}

export interface Graph {
  readonly router: Router['kind'] | null;
  readonly entry: readonly (number | 'exit')[];
  readonly blocks: readonly GraphBlock[];
}

export interface Traffic {
  readonly tokens: number;
  readonly edges: readonly { readonly from: number | 'entry'; readonly to: number | 'exit'; readonly tokens: number }[];
  /** Tokens that executed it, and how often in all. */
  readonly blocks: readonly { readonly id: number; readonly tokens: number; readonly visits: number }[];
}

export interface PassRow {
  readonly name: string;
  readonly changed: boolean;
  /** Operations of a network, kernels of a program. */
  readonly before: number;
  readonly after: number;
  /** Bytes of a token in the KV cache behind the pass; null where no block has attention. */
  readonly kv: KvBytes | null;
}

export interface LevelTable {
  readonly level: string;
  readonly passes: readonly PassRow[];
  readonly blocks: number;
  /** Different bodies, and kernels in them. */
  readonly bodies: number;
  readonly kernels: number;
  /** Kernels that run for a token that executes every block once. */
  readonly kernelsPerToken: number;
  readonly graph: Graph;
}

export interface KvTable {
  readonly policy: KvPolicy;
  readonly revisit: RevisitRule;
  readonly entryBytes: number;
  /** Bytes of a token: each attention block once; at worst; the mean of the studied route. */
  readonly static: number;
  readonly worst: number;
  readonly expected: number;
  /** What the studied paths would leave under each policy. */
  readonly policies: Readonly<Record<KvPolicy, number>>;
}

/** Least squares y = intercept + slope · x. */
export interface Fit {
  readonly intercept: number;
  readonly slope: number;
  readonly r2: number;
  /** Mean of |predicted - measured| / measured. */
  readonly meanError: number;
  readonly worstError: number;
}

export interface TimedPoint {
  /** Index in `routes`; null for a step of the ladder. */
  readonly route: number | null;
  /** For a step of the ladder: all tokens leave after so many blocks. */
  readonly exit: number | null;
  readonly depth: number;
  readonly predicted: Predicted;
  /** Of decode times per token to those of the dense run beside it. */
  readonly ratio: Quartiles;
  readonly milliseconds: number;
}

export interface Timing {
  readonly rounds: number;
  readonly tokens: number;
  /** Decode, per token. */
  readonly denseMilliseconds: number;
  readonly points: readonly TimedPoint[];
  readonly fits: { readonly flops: Fit; readonly bytes: Fit };
}

export interface Study {
  readonly format: typeof STUDY_FORMAT;
  readonly version: typeof STUDY_VERSION;
  readonly producer: string;
  readonly model: {
    readonly path: string;
    readonly sha256: string;
    readonly family: string;
    readonly router: 'gate' | 'hub' | null;
    readonly hidden: number;
    readonly vocabulary: number;
    readonly context: number;
    readonly parameters: number;
    readonly weightBytes: number;
    readonly wasmBytes: number;
    readonly blocks: readonly { readonly id: number; readonly role: Role }[];
  };
  readonly against: string | null;
  readonly routing: {
    readonly kv: KvPolicy;
    readonly revisit: RevisitRule;
    readonly maxHops: number;
    readonly threshold: number | null;
    readonly anchors: number;
  };
  readonly text: {
    readonly files: readonly InputFile[];
    readonly window: number;
    readonly maxTokens: number | null;
    readonly windows: number;
    readonly tokens: number;
    readonly bytes: number;
  };
  readonly seed: number;
  /** The first one is the dense model. */
  readonly routes: readonly RoutePoint[];
  /** The route that traffic, passage, ratios and KV are of: an index. */
  readonly studied: number;
  readonly traffic: Traffic;
  /** O0, O1, O2. */
  readonly levels: readonly LevelTable[];
  readonly ratios: {
    /** First positions of the bins. */
    readonly bins: readonly number[];
    readonly dense: RatioTable;
    readonly routed: RatioTable;
    /** Of a file that `radialc profile` has written. */
    readonly profile: {
      readonly file: string;
      readonly tokens: number;
      readonly blocks: readonly (Quartiles | null)[];
    } | null;
  };
  readonly passage: readonly PassageToken[];
  /** Null where no block has attention. */
  readonly kv: KvTable | null;
  /** All that was measured; null without timing. */
  readonly timing: Timing | null;
}
