/**
 * @file All tokens of a batch walk at once, hop by hop: at each the hub chooses, rows are gathered by block, and only the chosen
 * block is computed for a row.
 *
 * What comes out is what the compiled program computes token by token, once a pass before has left what it needs (see
 * `entries.ts`): after T passes, for sequences of T tokens, always.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { RadialConfig } from '../../frontend/index.ts';
import type { Matrix } from '../matmul.ts';
import { modelParts } from '../model.ts';
import type { ModelInput, ModelParts, ModelShape, Parameters } from '../model.ts';
import { attend } from './attend.ts';
import { createPass } from './entries.ts';
import type { Leavings } from './entries.ts';
import type { Hop, Turns } from './hops.ts';
import { highest, hubScores } from './router.ts';
import { planSight } from './sight.ts';
import { addToRows, takeRows } from '../rows.ts';

export interface WalkInput extends ModelInput {
  readonly config: RadialConfig;
  /** Added to the scores at a hop: (batch · tokens, blocks + 1). */
  readonly noise?: ((hop: number) => Float32Array) | undefined;
  /** What the pass before left. */
  readonly before?: Leavings | undefined;
  /** What a walk with the same `before` left: this one goes beside it, each token for itself, and leaves nothing. */
  readonly beside?: Leavings;
  /** Decisions that are made otherwise. */
  readonly turns?: Turns;
}

export interface Walked {
  /** Hidden states at the exit, (batch · tokens, hidden). */
  readonly x: Matrix;
  readonly hops: readonly Hop[];
  /** What the next pass is given. */
  readonly leavings: Leavings;
  readonly parts: ModelParts;
}

/** @param parameters - of the model and of the hub */
export function walk(parameters: Parameters, shape: ModelShape, input: WalkInput): Walked {
  const { config, ids, batch, before, beside } = input;
  const parts = modelParts(parameters, shape, input);
  const pass = createPass({ tokens: ids.length, hidden: shape.hidden }, before, beside);
  const sight = { batch, tokens: ids.length / batch, heads: shape.heads, headDim: shape.hidden / shape.heads };
  const branch = (block: number, hop: number, rows: Int32Array, x: Matrix): Matrix => {
    const layer = block >> 1;
    if (block % 2 === 1) return parts.mlp(layer, x);
    const qkv = parts.qkv(layer, x);
    const { from, ...entry } = pass.visit(block, hop, rows);
    const context = attend(qkv, { ...entry, rows, shape: sight, sight: planSight(rows, from, sight.tokens) });
    return parts.out(layer, context);
  };
  const hops: Hop[] = [];
  const at = new Int32Array(ids.length).fill(-1);
  let x = parts.embedding();
  let rows = Int32Array.from(ids, (_, row) => row);
  for (let hop = 0; hop < config.maxHops && rows.length > 0; hop++) {
    const scores = hubScores(parameters, config, takeRows(x, rows), hop);
    const decided = choose(scores, rows, { ...input, hop, at, tokens: sight.tokens });
    hops.push({ rows, scores, ...decided });
    const moves = movesOf(decided.choices, rows, config.blocks).map(({ block, rows: moved }) => {
      for (const row of moved) at[row] = block;
      return { rows: moved, f: branch(block, hop, moved, takeRows(x, moved)) };
    });
    if (moves.length > 0) x = addToRows(x, moves);
    rows = rows.filter((_, i) => decided.choices[i] !== config.blocks);
  }
  return { x, hops, leavings: pass.leavings(), parts };
}

interface Choosing {
  readonly config: RadialConfig;
  readonly noise?: ((hop: number) => Float32Array) | undefined;
  readonly turns?: Turns | undefined;
  readonly hop: number;
  /** The block that each token is at. */
  readonly at: Int32Array;
  /** Of one sequence. */
  readonly tokens: number;
}

function choose(
  scores: Matrix,
  rows: Int32Array,
  { config, noise, turns, hop, at, tokens }: Choosing,
): Pick<Hop, 'choices' | 'isFree'> {
  const columns = config.blocks + 1;
  const values = scores.dataSync<'float32'>();
  const offsets = noise?.(hop);
  const noisy = new Float32Array(columns);
  const isFree = Uint8Array.from(rows, (row) => Number(row % tokens >= config.anchors));
  const choices = Int32Array.from(rows, (row, i) => {
    const from = at[row] ?? -1;
    if (isFree[i] === 0) return from + 1;
    if (turns?.hops[row] === hop) return turns.successors[row] ?? NaN;
    for (let c = 0; c < columns; c++) noisy[c] = (values[i * columns + c] ?? NaN) + (offsets?.[row * columns + c] ?? 0);
    return highest(noisy, from);
  });
  return { choices, isFree };
}

/** Who goes to which block, without those that leave. */
function movesOf(choices: Int32Array, rows: Int32Array, blocks: number): { block: number; rows: Int32Array }[] {
  const lists = Array.from({ length: blocks + 1 }, (): number[] => []);
  for (const [i, row] of rows.entries()) lists[choices[i] ?? NaN]?.push(row);
  return lists
    .slice(0, blocks)
    .flatMap((list, block) => (list.length === 0 ? [] : [{ block, rows: Int32Array.from(list) }]));
}

/** Walks so many times without gradients. @returns what the last of these passes left */
export function walkAhead(
  parameters: Parameters,
  shape: ModelShape,
  input: Omit<WalkInput, 'before'>,
  passes: number,
): Leavings | undefined {
  let before: Leavings | undefined;
  for (let pass = 0; pass < passes; pass++) {
    const given = before;
    tf.tidy(() => {
      before = walk(parameters, shape, { ...input, before: given }).leavings;
    });
  }
  return before;
}
