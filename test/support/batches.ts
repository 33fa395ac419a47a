/** @file Sequences that share a program, for tests: each alone, and all together in random company. */
import { fillWeights, describeProgram } from '../../compiler/artifact/index.ts';
import { emitWasm, targetBuffers } from '../../compiler/wasm/index.ts';
import type { Network } from '../../ir/index.ts';
import { pipelinePasses, runPasses } from '../../passes/index.ts';
import { instantiate } from '../../runtime/program.ts';
import type { Program } from '../../runtime/program.ts';
import { isSwept } from '../../runtime/routes.ts';
import type { Walk } from '../../runtime/index.ts';
import type { Draw } from './draw.ts';
import { noWeights } from './tiny.ts';

/** A sequence: its tokens, and walks for those that the routers do not lead. */
export interface Job {
  readonly ids: readonly number[];
  readonly walks: readonly (Walk | undefined)[];
}

/** Of each token of a job. */
export interface Outcome {
  readonly logits: readonly Float32Array[];
  readonly walks: readonly Walk[];
}

/** Compiles a network whose constants need no checkpoint. */
export async function programFor(network: Network, sequences: number, chunk = 4): Promise<Program> {
  const options = { sequences, chunk: Math.max(chunk, sequences), extraBuffers: targetBuffers };
  const { module } = runPasses(network, pipelinePasses('O2'), { options });
  if (module.stage !== 'kernel') throw new Error('internal: not lowered');
  const tokens = { bos: null, addBos: false, eos: [] };
  const facts = { family: 'rir', target: 'wasm-simd', dtype: 'fp32', tokens, labels: [] };
  const program = await instantiate(describeProgram(module, facts), await emitWasm(module));
  await fillWeights(module, noWeights, { into: program.weights });
  return program;
}

/** Token by token in a program for one sequence. */
export function alone(program: Program, { ids, walks }: Job): Outcome {
  program.reset();
  const taken: Walk[] = [];
  const logits = ids.map((id, position) => {
    program.decode(position, id, walks[position]);
    taken.push(walks[position] ?? program.walk(0));
    return copyOfLogits(program, 0);
  });
  return { logits, walks: taken };
}

interface Lane {
  readonly sequence: number;
  readonly index: number;
  readonly job: Job;
  readonly logits: Float32Array[];
  readonly walks: Walk[];
}

/**
 * All jobs by a program for several sequences: they take the places of others that have ended, and are prefilled or stepped
 * with some of the others, in any order.
 */
export function together(program: Program, jobs: readonly Job[], draw: Draw): readonly Outcome[] {
  const waiting = [...draw.shuffled([...jobs.keys()])];
  const lanes = new Map<number, Lane>();
  const outcomes: Outcome[] = [];
  while (outcomes.length < jobs.length || lanes.size > 0 || waiting.length > 0) {
    for (let sequence = 0; sequence < program.info.shapes.sequences; sequence++) {
      if (lanes.has(sequence) || draw.chance(0.3)) continue;
      const index = waiting.pop();
      const job = jobs[index ?? -1];
      if (index === undefined || job === undefined) continue;
      program.forget(sequence);
      lanes.set(sequence, { sequence, index, job, logits: [], walks: [] });
    }
    const stepped = draw.shuffled([...lanes.values()]).filter((lane) => {
      if (draw.chance(0.2) || (draw.chance(0.3) && prefill(program, lane))) return false;
      return lane.logits.length < lane.job.ids.length;
    });
    if (stepped.length > 0) step(program, stepped);
    for (const lane of lanes.values()) {
      if (lane.logits.length < lane.job.ids.length) continue;
      outcomes[lane.index] = lane;
      lanes.delete(lane.sequence);
    }
  }
  return outcomes;
}

function step(program: Program, lanes: readonly Lane[]): void {
  const rows = lanes.map(({ sequence, job, logits: { length: position } }) => {
    return { sequence, position, id: job.ids[position] ?? 0, walk: job.walks[position] };
  });
  program.step(rows);
  lanes.forEach(({ walks }, row) => walks.push(rows[row]?.walk ?? program.walk(row)));
  lanes.forEach(({ logits }, row) => logits.push(copyOfLogits(program, row)));
}

/** Runs the next tokens of a sequence as prefill does; false where there are none, or their walks do not allow it. */
function prefill(program: Program, { sequence, job, logits, walks: taken }: Lane): boolean {
  const first = logits.length;
  const end = Math.min(job.ids.length, first + program.info.shapes.chunk);
  const walks = job.walks.slice(first, end);
  if (walks.length === 0 || !walks.every((walk) => isSwept(walk, program.info.routing))) return false;
  program.prefill({ sequence, first, ids: job.ids.slice(first, end), walks });
  walks.forEach((walk, row) => taken.push(walk ?? program.walk(row)));
  walks.forEach((_, row) => logits.push(copyOfLogits(program, row)));
  return true;
}

function copyOfLogits(program: Program, row: number): Float32Array {
  const [logits] = program.logits(row, 1);
  return logits?.slice() ?? new Float32Array();
}
