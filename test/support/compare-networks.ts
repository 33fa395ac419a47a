/** @file Runs networks and kernel programs on the same random inputs, and says where their results differ. */
import assert from 'node:assert/strict';
import { createInterpreter } from '../../ir/interpreter/index.ts';
import type { RunResult, Walk } from '../../ir/interpreter/index.ts';
import type { Edge, KernelProgram, Network } from '../../ir/index.ts';
import { passesNamed, runPasses } from '../../passes/index.ts';
import type { PassOptions } from '../../passes/index.ts';
import { mapRegions } from '../../passes/network/rewrite.ts';
import { Draw } from './draw.ts';
import { KernelRunner } from './kernel-runner.ts';
import { noWeights } from './tiny.ts';

/** Token ids or pixels, and a walk for some of the tokens. */
export interface Inputs {
  readonly values: Float32Array;
  readonly walks: readonly (Walk | undefined)[];
}

/** Inputs that fit the network; its walks are valid wherever its edges are. */
export function randomInputs(network: Network, seed: number): Inputs {
  const draw = new Draw(seed);
  const causal = network.task === 'causal-lm';
  const tokens = causal ? draw.int(1, Math.min(network.context, 6)) : network.context;
  const walks = Array.from({ length: tokens }, () => (draw.chance(0.7) ? randomWalk(network, draw) : undefined));
  if (!causal) return { values: Float32Array.from({ length: pixelCount(network) }, () => draw.float(-1, 1)), walks };
  const last = vocabularyOf(network) - 1;
  return { values: Float32Array.from({ length: tokens }, () => draw.int(0, last)), walks };
}

export function runNetwork(network: Network, { values, walks }: Inputs): RunResult {
  const interpreter = createInterpreter(network, noWeights);
  return network.task === 'causal-lm'
    ? interpreter.runTokens(Array.from(values), { walks })
    : interpreter.runImage(values, { walks });
}

export function runProgram(program: KernelProgram, { values, walks }: Inputs): RunResult {
  const runner = new KernelRunner(program);
  return program.task === 'causal-lm' ? runner.runTokens(Array.from(values), walks) : runner.runImage(values, walks);
}

/** The network with weights in int8, as `quantize` makes it. */
export function narrowed(network: Network, int8: PassOptions['int8']): Network {
  const { module } = runPasses(network, passesNamed(['quantize']), { options: { int8 } });
  assert(module.stage === 'network');
  return module;
}

/** The network with some of its linears and embeddings in int8, those of routers too. */
export function speckled(network: Network, seed: number): Network {
  const draw = new Draw(seed);
  return mapRegions(network, (region) => ({
    ...region,
    ops: region.ops.map((op) =>
      (op.kind === 'linear' || op.kind === 'embed') && draw.chance(0.4)
        ? { ...op, attrs: { ...op.attrs, weights: 'int8' } }
        : op,
    ),
  }));
}

/**
 * Of the largest logit. Where inputs are rounded to whole numbers, a last bit that differs before can become a whole step of
 * 1 / 32,767, which later blocks amplify.
 */
export function toleranceOf(int8: PassOptions['int8']): number {
  return int8 === undefined ? 1e-4 : 5e-3;
}

/** Logits within a tolerance, as a part of the largest; the same paths. */
export function assertSameResults(expected: RunResult, found: RunResult, tolerance = toleranceOf(undefined)): void {
  assert.deepEqual(found.paths, expected.paths);
  assert.equal(found.logits.length, expected.logits.length);
  const scale = Math.max(1, ...expected.logits.flatMap((row) => Array.from(row, Math.abs)));
  expected.logits.forEach((row, t) => {
    row.forEach((value, i) => {
      const other = found.logits[t]?.[i] ?? NaN;
      assert(
        Math.abs(value - other) <= tolerance * scale,
        `logit ${i} of position ${t} is ${other}, expected ${value}`,
      );
    });
  });
}

/** The length of a row of logits. */
export function outputsOf({ exit }: Network): number {
  return Number(exit.ops.find(({ result }) => result === exit.result)?.type.shape.at(-1) ?? 1);
}

/** Chosen at random edge by edge. */
function randomWalk(network: Network, draw: Draw): Walk {
  const walk: number[] = [];
  let edge: Edge = network.entry.edge;
  while (walk.length < network.routing.maxHops) {
    const next = edge.successors[edge.router === null ? 0 : draw.int(0, edge.successors.length - 1)];
    const block = network.blocks.find(({ id }) => id === next);
    if (block === undefined) break;
    walk.push(block.id);
    edge = block.edge;
  }
  return walk;
}

function pixelCount(network: Network): number {
  return (network.entry.params[0]?.type.shape ?? []).reduce<number>((product, dim) => product * Number(dim), 1);
}

/** Rows of the table that token ids select from. */
function vocabularyOf(network: Network): number {
  const [ids] = network.entry.params;
  const embed = network.entry.ops.find(({ kind, operands }) => kind === 'embed' && operands[0] === ids?.name);
  const table = network.consts.find(({ name }) => name === embed?.operands[1]);
  return Number(table?.type.shape[0] ?? 1);
}
