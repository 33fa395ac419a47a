/** @file Runs a sequence of tokens through a program, in chunks where their walks allow it. */
import { KV_PROBE_COLUMNS, PROBE_COLUMNS } from './artifact/manifest.ts';
import type { Program } from './program.ts';
import { isSwept } from './routes.ts';
import type { Walk } from './routes.ts';
import { turn } from './host.ts';

export interface Sequence {
  readonly ids: readonly number[];
  /** Of each token; undefined where the routers decide. */
  readonly walks: readonly (Walk | undefined)[];
}

/** Tokens of the sequence that one pass runs. */
interface Segment {
  readonly first: number;
  readonly count: number;
  readonly mode: 'prefill' | 'decode';
}

export interface RunOptions {
  readonly mode: 'prefill' | 'decode';
  /** Positions whose logits are wanted, ascending. */
  readonly positions: readonly number[];
  /** Called between passes; ends the run by throwing. */
  readonly check: () => void;
  readonly signal: AbortSignal | undefined;
}

/** Passes over a sequence: chunks of tokens whose walks lead forward, and single tokens for the others. */
function segments(program: Program, walks: Sequence['walks'], mode: 'prefill' | 'decode'): readonly Segment[] {
  const result: Segment[] = [];
  for (let first = 0; first < walks.length;) {
    const count = mode === 'decode' ? 0 : sweepFrom(program, walks, first);
    result.push(count === 0 ? { first, count: 1, mode: 'decode' } : { first, count, mode: 'prefill' });
    first += Math.max(count, 1);
  }
  return result;
}

/** How many tokens from `first` on one sweep can run. */
export function sweepFrom({ info }: Program, walks: Sequence['walks'], first: number): number {
  const most = Math.min(info.shapes.chunk, walks.length - first);
  let count = 0;
  while (count < most && isSwept(walks[first + count], info.routing)) count++;
  return count;
}

/** What a run leaves: the wanted rows of logits, the walk of each position, and what the probes say there; copies. */
export interface SequenceResult {
  readonly logits: readonly Float32Array[];
  readonly walks: readonly Walk[];
  readonly probes?: readonly Float32Array[];
  readonly kvProbes?: readonly Float32Array[];
}

/** Runs the sequence from an empty KV cache. */
export async function runSequence(program: Program, sequence: Sequence, options: RunOptions): Promise<SequenceResult> {
  const { ids, walks } = sequence;
  const { mode, positions, check, signal } = options;
  const { headRows } = program.info.shapes;
  const logits: Float32Array[] = [];
  const probes: Probes[] = [];
  const taken: Walk[] = [];
  let next = 0;
  program.reset();
  for (const segment of segments(program, walks, mode)) {
    await turn(signal);
    check();
    const { first, count } = segment;
    const end = first + count;
    if (segment.mode === 'prefill') {
      program.prefill({ first, ids: ids.slice(first, end), walks: walks.slice(first, end) });
    } else program.decode(first, ids[first] ?? 0, walks[first]);
    const now = walks.slice(first, end).map((walk, row) => walk ?? program.walk(row));
    taken.push(...now);
    probes.push(readProbes(program, now));
    while (next < positions.length && (positions[next] ?? end) < end) {
      const run = consecutive(positions, next, Math.min(headRows, end - (positions[next] ?? 0)));
      const rows = program.logits((positions[next] ?? 0) - first, run);
      logits.push(...rows.map((row) => row.slice()));
      next += run;
    }
  }
  return { logits, walks: taken, ...joined(probes) };
}

type Probes = Pick<SequenceResult, 'probes' | 'kvProbes'>;

function joined(parts: readonly Probes[]): Probes {
  const [probes, kvProbes] = (['probes', 'kvProbes'] as const).map((name) => parts.flatMap((part) => part[name] ?? []));
  const [first] = parts;
  return { ...(first?.probes && { probes }), ...(first?.kvProbes && { kvProbes }) };
}

/** What the probes say of the rows of the last pass, with NaN for blocks that are not in a row's walk. */
export function readProbes(program: Program, walks: readonly Walk[]): Probes {
  const { routing, abi } = program.info;
  const blocks = (routing.blocks.at(-1)?.id ?? -1) + 1;
  const copies = (rowOf: (row: number) => Float32Array | undefined, columns: number): readonly Float32Array[] =>
    walks.map((walk, row) => {
      const found = rowOf(row) ?? new Float32Array();
      const copy = new Float32Array(columns * blocks).fill(NaN);
      for (const block of walk) copy.set(found.subarray(columns * block, columns * (block + 1)), columns * block);
      return copy;
    });
  return {
    ...(abi.probes && { probes: copies((row) => program.probes(row), PROBE_COLUMNS) }),
    ...(abi.kvProbes && { kvProbes: copies((row) => program.kvProbes(row), KV_PROBE_COLUMNS) }),
  };
}

/** How many positions from `from` on follow one another, at most `most`. */
function consecutive(positions: readonly number[], from: number, most: number): number {
  let count = 1;
  while (count < most && positions[from + count] === (positions[from] ?? 0) + count) count++;
  return count;
}
