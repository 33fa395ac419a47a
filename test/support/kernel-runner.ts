/**
 * @file Drives a {@link KernelMachine} the way the interpreter drives a network: token by token along walks. Checks on the
 * way that the KV cache stays within its plan.
 */
import assert from 'node:assert/strict';
import { gateLevel, isWeighted } from '../../ir/index.ts';
import type { BlockId, BlockInstance, Edge, Instance, KernelProgram, Successor } from '../../ir/index.ts';
import type { RunResult, Walk } from '../../ir/interpreter/index.ts';
import { KernelMachine } from './kernel-machine.ts';
import type { KvList } from './kernel-machine.ts';

interface Entry {
  readonly position: number;
  readonly filled: boolean;
  readonly k: readonly number[];
  readonly v: readonly number[];
}

/** A token on its way. */
interface Traveller {
  /** Of `$x`. */
  readonly row: number;
  readonly position: number;
  readonly walk: Walk | undefined;
  /** Blocks that it has executed. */
  readonly path: readonly BlockId[];
}

type Walks = readonly (Walk | undefined)[];

export class KernelRunner {
  readonly #program: KernelProgram;
  readonly #machine: KernelMachine;
  readonly #lists: Entry[][];

  constructor(program: KernelProgram) {
    this.#program = program;
    this.#machine = new KernelMachine(program);
    this.#lists = Array.from({ length: program.kv?.lists ?? 0 }, () => []);
  }

  /** Each token in another row of the chunk, so that row lists matter. */
  runTokens(ids: readonly number[], walks: Walks): RunResult {
    const machine = this.#machine;
    const results = ids.map((id, position) => {
      const row = position % this.#program.chunk;
      machine.writeInts('$ids', [id]);
      machine.writeInts('$pos', [position]);
      machine.run(this.#program.entry, 'kernels', [0]);
      machine.writeFloats('$x', this.#moved(row));
      machine.writeInts(
        '$pos',
        Array.from({ length: this.#program.chunk }, (_, r) => (r === row ? position : -1)),
      );
      const path = this.#walk(position, row, walks[position]);
      machine.run(this.#program.exit, 'kernels', [row]);
      return { logits: machine.readRow('$logits', 0), path };
    });
    return { logits: results.map(({ logits }) => logits), paths: results.map(({ path }) => path) };
  }

  /** All tokens of the image in one row list for each block. */
  runImage(pixels: Float32Array, walks: Walks): RunResult {
    const tokens = Array.from({ length: this.#program.context }, (_, t) => t);
    this.#machine.writeFloats('$pixels', pixels);
    this.#machine.writeInts('$pos', tokens);
    this.#machine.run(this.#program.entry, 'kernels', tokens);
    const paths: BlockId[][] = tokens.map(() => []);
    const next = (edge: Edge, t: number): Successor => {
      const token = { row: t, position: t, walk: walks[t], path: paths[t] ?? [] };
      const stop = this.#next(edge, token);
      this.#writeProbability(t, this.#probability(edge, stop, token));
      return stop;
    };
    const stops = tokens.map((t) => next(this.#program.entry.edge, t));
    for (const block of this.#program.blocks) {
      const here = tokens.filter((t) => stops[t] === block.id);
      for (const t of tokens) if (!here.includes(t)) this.#fill(block, t, t, paths[t] ?? []);
      if (here.length > 0) this.#machine.run(block, 'kernels', here, this.#kvOf(block, here));
      for (const t of here) {
        paths[t]?.push(block.id);
        stops[t] = next(block.edge, t);
      }
    }
    this.#machine.run(this.#program.exit, 'kernels', tokens);
    return { logits: [this.#machine.readRow('$logits', 0)], paths };
  }

  /** The chunk's hidden states with row 0 moved to `row`, and nothing elsewhere. */
  #moved(row: number): Float32Array {
    const x = this.#machine.readRow('$x', 0);
    const stride = Math.ceil(x.length / 8) * 8;
    const moved = new Float32Array(this.#program.chunk * stride).fill(NaN);
    moved.set(x, row * stride);
    return moved;
  }

  #walk(position: number, row: number, walk: Walk | undefined): BlockId[] {
    const path: BlockId[] = [];
    let from = -1;
    let { edge } = this.#program.entry;
    for (;;) {
      const token = { row, position, walk, path };
      const next = this.#next(edge, token);
      const probability = this.#probability(edge, next, token);
      for (const block of this.#program.blocks) {
        if (block.id > from && (next === 'exit' || block.id < next)) this.#fill(block, position, row, path);
      }
      const block = this.#program.blocks.find(({ id }) => id === next);
      if (block === undefined) return path;
      this.#writeProbability(row, probability);
      this.#machine.run(block, 'kernels', [row], this.#kvOf(block, [position]));
      path.push(block.id);
      [from, edge] = [block.id, block.edge];
    }
  }

  /** Where a token goes along an edge. */
  #next({ router, successors }: Edge, token: Traveller): Successor {
    const { row, position, walk, path } = token;
    const { maxHops, anchors = 0 } = this.#program.routing;
    const [first = 'exit'] = successors;
    if (path.length >= maxHops) return 'exit';
    if (router !== null && walk !== undefined) return walk[path.length] ?? 'exit';
    if (router === null || router.kind === 'external' || position < anchors) return first;
    if (router.kind === 'gate') {
      const from = this.#program.blocks.find(({ id }) => id === path.at(-1));
      return successors.find((next, i) => this.#isOpen(next, row, i === 0 && from?.scores === next)) ?? 'exit';
    }
    const scoreOf = this.#hubScores(token);
    return successors.reduce((best, next) => (scoreOf(next) > scoreOf(best) ? next : best));
  }

  #hubScores({ row, path }: Traveller): (next: Successor) => number {
    this.#machine.writeInts(
      '$hop',
      Array.from({ length: this.#program.chunk }, (_, r) => (r === row ? path.length : -1)),
    );
    const scores = this.#scores(this.#program.hub, row);
    return (next) => scores[next === 'exit' ? scores.length - 1 : next] ?? NaN;
  }

  /** By what the block that an edge leads to scales its branch. */
  #probability({ router, successors }: Edge, next: Successor, token: Traveller): number {
    if (!isWeighted(this.#program) || next === 'exit') return 1;
    if (router?.kind === 'gate') return 1 / (1 + Math.exp(-this.#gateScore(next, token.row, false)));
    if (router?.kind !== 'hub') return 1;
    const shares = successors.map(this.#hubScores(token)).map(Math.exp);
    return (shares[successors.indexOf(next)] ?? NaN) / shares.reduce((a, b) => a + b, 0);
  }

  #writeProbability(row: number, probability: number): void {
    if (isWeighted(this.#program)) this.#machine.writeFloat('$probability', row, probability);
  }

  #isOpen(next: Successor, row: number, isPrepared: boolean): boolean {
    const { gate } = this.#program.blocks.find(({ id }) => id === next) ?? {};
    return gate === undefined || this.#gateScore(next, row, isPrepared) > gateLevel(this.#program.routing);
  }

  /** Infinite where there is no gate. */
  #gateScore(next: Successor, row: number, isPrepared: boolean): number {
    const { gate, finish } = this.#program.blocks.find(({ id }) => id === next) ?? {};
    return gate === undefined ? Infinity : (this.#scores(isPrepared ? finish : gate, row)[0] ?? NaN);
  }

  #scores(router: Instance | undefined, row: number): Float32Array {
    assert(router !== undefined, 'a router that is not there');
    this.#machine.run(router, 'kernels', [row]);
    return this.#machine.readRow('$router', 0);
  }

  #fill(block: BlockInstance, position: number, row: number, path: readonly BlockId[]): void {
    const { kv } = this.#program.routing;
    if (block.list === null || kv === 'absent') return;
    const list = this.#lists[block.list] ?? [];
    if (kv === 'project') {
      const write = (_: number, k: readonly number[], v: readonly number[]): void =>
        writeFilled(list, { position, k, v });
      const body = this.#program.bodies.find(({ name }) => name === block.body);
      assert(body !== undefined && body.fill.length > 0, `${block.body} has no fill`);
      this.#machine.run(block, 'fill', [row], { append: write, seen: () => [] });
    } else {
      const source = this.#program.blocks.find(
        ({ id }) => id === path.findLast((passed) => passed < block.id && this.#listOf(passed) !== null),
      );
      const entry = this.#lists[source?.list ?? -1]?.findLast((e) => e.position === position);
      if (entry !== undefined) writeFilled(list, entry);
    }
    this.#checkPlan();
  }

  #listOf(id: BlockId): number | null {
    return this.#program.blocks.find((block) => block.id === id)?.list ?? null;
  }

  #kvOf(block: BlockInstance, positions: readonly number[]): KvList | undefined {
    if (block.list === null) return undefined;
    const list = this.#lists[block.list] ?? [];
    return {
      append: (r, k, v) => {
        writeExecuted(list, { position: positions[r] ?? -1, k, v }, this.#program.routing.revisit === 'overwrite');
        list.sort((a, b) => a.position - b.position);
        this.#checkPlan();
      },
      seen: () => list,
    };
  }

  #checkPlan(): void {
    const { kv } = this.#program;
    assert(kv !== null);
    const pages = this.#lists.map((list) => Math.ceil(list.length / kv.slots));
    assert(
      this.#lists.every((list) => list.length <= kv.entriesPerList),
      'more entries in a list than planned',
    );
    assert(pages.reduce((a, b) => a + b, 0) <= kv.pages, 'more pages than planned');
  }
}

function writeExecuted(list: Entry[], entry: Omit<Entry, 'filled'>, overwrites: boolean): void {
  const at = list.findLastIndex(({ position }) => position === entry.position);
  if (at >= 0 && (list[at]?.filled === true || overwrites)) list.splice(at, 1);
  list.push({ ...entry, filled: false });
}

function writeFilled(list: Entry[], entry: Omit<Entry, 'filled'>): void {
  const at = list.findLastIndex(({ position }) => position === entry.position);
  if (at >= 0 && list[at]?.filled === false) return;
  if (at >= 0) list.splice(at, 1);
  list.push({ ...entry, filled: true });
}
