/**
 * @file A model with gates, as it is trained: rows whose gate is open are gathered, and the block is computed for them. Only in
 * attention more is computed: q, k and v of all tokens, and what those before the last open row of a sequence see; nothing where
 * nobody executes the block. What comes out is what the compiled program computes, under the same KV policy.
 */
import type { RadialConfig } from '../../frontend/index.ts';
import type { Matrix, Vector } from '../matmul.ts';
import { createSpecs, find, modelParts } from '../model.ts';
import type { ModelInput, ModelShape, Parameters, ParameterSpec } from '../model.ts';
import { linear, relu, residual } from '../ops.ts';
import { addToRows, takeRows } from '../rows.ts';
import { carryKv, decide, turned, unitRms } from './ops.ts';
import type { Decision } from './ops.ts';
import { weighted } from './weighting.ts';

/** Gates begin open with a probability of 0.88. */
const FIRST_BIAS = 2;
const INNER_STD = 0.1;

/**
 * The parameters of the gates, behind those of `before`. Their names do not end in `.weight`: they have Adam without decay
 * whatever the optimizer of the model.
 */
export function gateSpecs(
  { gatedBlocks, hidden }: RadialConfig,
  width: number,
  before: readonly ParameterSpec[] = [],
): readonly ParameterSpec[] {
  const { specs, add } = createSpecs(before);
  for (const block of gatedBlocks) {
    if (hidden > 0) {
      add(`gate.${block}.up`, [width, hidden], INNER_STD);
      add(`gate.${block}.up_bias`, [hidden], 0);
    }
    add(`gate.${block}.score`, [hidden > 0 ? hidden : width, 1], 0);
    add(`gate.${block}.score_bias`, [1], 0);
  }
  return specs;
}

/** Lets all gates begin open. */
export function openGates(specs: readonly ParameterSpec[], flat: Float32Array): void {
  for (const { name, offset } of specs) if (name.endsWith('.score_bias')) flat[offset] = FIRST_BIAS;
}

export interface RoutedInput extends ModelInput {
  readonly config: RadialConfig;
  /** Added to the scores of a block's gate. */
  readonly noise: (block: number) => Float32Array;
  /** Rows whose decision is turned, by the index of the gate. */
  readonly turns?: Int32Array;
  /** The model's own parameters are not trained. */
  readonly isFixed: boolean;
}

export interface RoutedOutput {
  /** (batch · tokens, vocab) */
  readonly logits: Matrix;
  /** By block. */
  readonly decisions: ReadonlyMap<number, Decision>;
}

/** @param parameters - of the model and of the gates */
export function routedForward(parameters: Parameters, shape: ModelShape, input: RoutedInput): RoutedOutput {
  const { config, noise, turns, isFixed, ids, batch } = input;
  const parts = modelParts(parameters, shape, input, isFixed);
  const tokens = ids.length / batch;
  const decisions = new Map<number, Decision>();
  const level = Math.log(config.threshold / (1 - config.threshold));
  const gate = (block: number, x: Matrix): Decision | undefined => {
    const index = config.gatedBlocks.indexOf(block);
    if (index === -1) return undefined;
    const score = scoreOf(parameters, config, block, x);
    const own = noise(block);
    const offset = (row: number): number => (own[row] ?? 0) - level;
    const decided = decide(score, offset, (row) => row % tokens >= config.anchors);
    const decision = turned(decided, (row) => turns?.[row] === index);
    decisions.set(block, decision);
    return decision;
  };
  const execute = (block: number, x: Matrix, branch: (decision?: Decision, rows?: Int32Array) => Matrix): Matrix => {
    const decision = gate(block, x);
    if (decision === undefined) return residual(x, branch());
    const rows = Int32Array.from(decision.isOpen.flatMap((open, row) => (open ? [row] : [])));
    if (rows.length === 0) return x;
    const f = branch(decision, rows);
    const isWeighted = config.weighting === 'probability';
    return addToRows(x, [{ rows, f: isWeighted ? weighted(f, takeRows(decision.score, rows)) : f }]);
  };
  const cache = createCache(config);
  let x = parts.embedding();
  for (let layer = 0; layer < shape.layers; layer++) {
    x = execute(2 * layer, x, (decision, rows) => {
      const { qkv, seen } = cache(parts.qkv(layer, x), decision);
      const lengths = rows && lengthsOf(rows, batch, tokens);
      return parts.out(layer, takeRows(parts.context(qkv, { seen, lengths }), rows));
    });
    x = execute(2 * layer + 1, x, (_, rows) => parts.mlp(layer, takeRows(x, rows)));
  }
  return { logits: parts.head(x), decisions };
}

/** Of each sequence, its tokens up to the last of the rows, which ascend. */
function lengthsOf(rows: Int32Array, batch: number, tokens: number): readonly number[] {
  const lengths = new Array<number>(batch).fill(0);
  for (const row of rows) lengths[Math.floor(row / tokens)] = (row % tokens) + 1;
  return lengths;
}

/** The score of each row, as in `router.safetensors`: a logit (rows, 1). */
function scoreOf(parameters: Parameters, { hidden }: RadialConfig, block: number, x: Matrix): Matrix {
  const matrix = (name: string): Matrix => find(parameters, `gate.${block}.${name}`) as Matrix;
  const vector = (name: string): Vector => find(parameters, `gate.${block}.${name}`) as Vector;
  const unit = unitRms(x);
  const inner = hidden > 0 ? relu(linear(unit, matrix('up'), vector('up_bias'))) : unit;
  return linear(inner, matrix('score'), vector('score_bias'));
}

interface Seen {
  readonly qkv: Matrix;
  /** Undefined where all tokens are seen. */
  readonly seen: readonly boolean[] | undefined;
}

/**
 * What an attention block sees of the tokens that skip it, by KV policy; to be asked layer by layer, where a token executes the
 * block.
 */
function createCache({ kv }: RadialConfig): (qkv: Matrix, decision: Decision | undefined) => Seen {
  let last: { readonly qkv: Matrix; readonly made: readonly boolean[] } | undefined;
  return (own, decision) => {
    if (kv === 'project') return { qkv: own, seen: undefined };
    const isOpen = decision?.isOpen;
    if (kv === 'absent') return { qkv: own, seen: isOpen };
    const made =
      isOpen?.map((open, row) => open || last?.made[row] === true) ?? new Array<boolean>(own.shape[0]).fill(true);
    const qkv = isOpen === undefined || last === undefined ? own : carryKv(own, last.qkv, isOpen);
    last = { qkv, made };
    return { qkv, seen: made };
  };
}
