/** @file Times the decoding of single tokens by a program in memory, for benchmarks. */
import { fillWeights } from '../../compiler/artifact/index.ts';
import type { Built } from '../../compiler/build.ts';
import type { Walk } from '../../runtime/index.ts';
import { instantiate } from '../../runtime/program.ts';
import type { Program } from '../../runtime/program.ts';

/** Milliseconds a token; `blocks` is the pass through the blocks, `head` the logits. */
export interface Sample {
  readonly blocks: number;
  readonly head: number;
}

/** Lets a program read a prompt of random tokens, in chunks; walks are asked for token by token. */
export function read(program: Program, prompt: number, id: () => number, walk: () => Walk | undefined): void {
  const { chunk } = program.info.shapes;
  program.reset();
  for (let first = 0; first < prompt; first += chunk) {
    const tokens = Array.from({ length: Math.min(chunk, prompt - first) }, id);
    program.prefill({ first, ids: tokens, walks: tokens.map(walk) });
  }
}

export function decode(program: Program, position: number, id: number, walk: Walk | undefined): Sample {
  const started = performance.now();
  program.decode(position, id, walk);
  const decoded = performance.now();
  program.logits(0, 1);
  return { blocks: decoded - started, head: performance.now() - decoded };
}

export function median(samples: readonly number[]): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}

export async function start(built: Built): Promise<Program> {
  const program = await instantiate(built.info, built.wasm);
  await fillWeights(built.program, built.source, { into: program.weights });
  return program;
}
