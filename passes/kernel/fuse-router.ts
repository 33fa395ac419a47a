/**
 * @file Computes the score of the gate that is tried next in the epilogue of the kernel that makes what it reads.
 *
 *     body #mlp(…) {                                      body #mlp_scoring(…, @5: rows[64]) {
 *       …                                                   …
 *       $x[routed, …] = linear($mlp.0[…], @3, …)            $x[routed, …] = linear($mlp.0[…], @3, …, scorer: @5, partial: $partial[routed, 0..8])
 *     }                                                   }
 *     gate ^2 = #gate(@g, @b, @gain)               =>     gate ^2 = #gate(@g, @b, @gain)
 *                                                         finish ^2 = #score(@b)
 *     block ^1 mlp = #mlp(…) -> gate [^2, exit]           block ^1 mlp {scores: 2} = #mlp_scoring(…, @g.scorer) -> gate [^2, exit]
 *
 * The score is (y · w) / rms(y) + b: both products are sums over the columns of y, taken while they are in registers. The
 * gate stays for tokens that try it after another one. Only linear gates behind an RMS norm, after a body that ends in a
 * linear which makes the whole hidden state of whole panels. Rounding differs from that of the gate itself.
 */
import { HIDDEN, PANEL, PARTIAL, PARTIAL_COLUMNS, SCORES, isView, numberAttr, scoredBuffers } from '../../ir/index.ts';
import type { BlockInstance, Body, Const, Global, Kernel, KernelProgram, View, Weight } from '../../ir/index.ts';
import type { KernelPass } from '../pass.ts';
import { withBuffers } from './added-buffers.ts';

export const fuseRouter: KernelPass = {
  name: 'fuse-router',
  summary: 'Score the next gate in the epilogue of the block before it.',
  stage: 'kernel',
  run: (program) => {
    if (program.memory !== null || program.blocks.some(({ scores }) => scores !== undefined)) return program;
    const fusion = new Fusion(program);
    const blocks = program.blocks.map((block) => fusion.fuse(block));
    return fusion.isEmpty ? program : fusion.finish(blocks);
  },
};

/** A gate that can be fused. */
interface LinearGate {
  readonly block: BlockInstance;
  readonly weight: Global;
  readonly bias: Global | undefined;
  readonly gain: Global;
  readonly eps: number;
  readonly columns: number;
}

class Fusion {
  readonly #program: KernelProgram;
  readonly #bodies: Map<string, Body>;
  readonly #consts: Map<Global, Const>;
  readonly #weights: Map<Global, Weight>;
  readonly #gates: ReadonlyMap<number, LinearGate>;
  /** By weight and gain. */
  readonly #scorers = new Map<string, Global>();
  /** Of gates that some block scores. */
  readonly #finished = new Map<number, LinearGate>();

  constructor(program: KernelProgram) {
    this.#program = program;
    this.#bodies = new Map(program.bodies.map((body) => [body.name, body]));
    this.#consts = new Map(program.consts.map((constant) => [constant.name, constant]));
    this.#weights = new Map(program.weights.map((weight) => [weight.name, weight]));
    this.#gates = new Map(
      program.blocks.flatMap((block) => linearGate(program, block) ?? []).map((gate) => [gate.block.id, gate]),
    );
  }

  get isEmpty(): boolean {
    return this.#finished.size === 0;
  }

  /** The block with a body that scores the first gate that a token tries after it. */
  fuse(block: BlockInstance): BlockInstance {
    const [first] = block.edge.successors;
    const gate = block.edge.router?.kind === 'gate' && typeof first === 'number' ? this.#gates.get(first) : undefined;
    const body = this.#bodies.get(block.body);
    if (gate === undefined || body === undefined || !endsInHidden(body, gate.columns)) return block;
    this.#finished.set(gate.block.id, gate);
    const scoring = this.#scoring(body, gate.columns);
    return { ...block, body: scoring.name, args: [...block.args, this.#scorer(gate)], scores: gate.block.id };
  }

  finish(blocks: readonly BlockInstance[]): KernelProgram {
    const finished = blocks.map((block): BlockInstance => {
      const gate = this.#finished.get(block.id);
      if (gate === undefined) return block;
      const { name } = this.#finish(gate);
      return { ...block, finish: { body: name, args: gate.bias === undefined ? [] : [gate.bias] } };
    });
    const { entry, hub, exit } = this.#program;
    const used = new Set(
      [entry, hub, exit, ...finished.flatMap((block) => [block, block.gate, block.finish])].map((use) => use?.body),
    );
    const program = {
      ...this.#program,
      consts: [...this.#consts.values()],
      weights: [...this.#weights.values()],
      bodies: [...this.#bodies.values()].filter(({ name }) => used.has(name)),
      blocks: finished,
    };
    return withBuffers(program, scoredBuffers(), 'fuse-router');
  }

  /** weight ∘ gain as one row. */
  #scorer({ weight, gain, columns }: LinearGate): Global {
    const key = `${weight} ${gain}`;
    const known = this.#scorers.get(key);
    if (known !== undefined) return known;
    const name = this.#free(`${weight}.scorer`);
    const type = { dtype: 'f32', shape: [columns] } as const;
    const row = this.#free(`${weight}.row`);
    this.#consts.set(row, { name: row, kind: 'reshape', operands: [weight], attrs: { shape: [columns] }, type });
    this.#consts.set(name, { name, kind: 'mul', operands: [row, gain], attrs: {}, type });
    this.#weights.set(name, { name, shape: [columns], layout: 'rows', at: null });
    this.#scorers.set(key, name);
    return name;
  }

  #free(name: Global): Global {
    let free = name;
    while (this.#consts.has(free)) free = `${free}_`;
    return free;
  }

  #scoring(body: Body, columns: number): Body {
    const scorer: Global = `@${body.formals.length}`;
    const formals = [...body.formals, { name: scorer, shape: [columns], layout: 'rows' } as const];
    const kernels = body.kernels.map((kernel, i) =>
      i < body.kernels.length - 1 ? kernel : withScorer(kernel, scorer),
    );
    return this.#add({ ...body, name: `${body.name}_scoring`, formals, kernels });
  }

  #finish({ bias, eps, columns }: LinearGate): Body {
    const formals = bias === undefined ? [] : [{ name: '@0', shape: [1], layout: 'rows' } as const];
    const inputs = { partial: partial(true), ...(bias !== undefined && { bias: { weight: '@0' as const } }) };
    const out: View = { buffer: SCORES, from: 0, columns: 1, routed: false };
    const kernel: Kernel = { kind: 'score', out, inputs, attrs: { columns, eps } };
    return this.#add({ name: bias === undefined ? 'score_plain' : 'score', formals, kernels: [kernel], fill: [] });
  }

  /** The body, or the one that is there already and does the same. */
  #add(body: Body): Body {
    let name = body.name;
    for (let n = 2; ; n++) {
      const found = this.#bodies.get(name);
      if (found === undefined) break;
      if (JSON.stringify({ ...found, name: '' }) === JSON.stringify({ ...body, name: '' })) return found;
      name = `${body.name}_${n}`;
    }
    const added = { ...body, name };
    this.#bodies.set(name, added);
    return added;
  }
}

function partial(routed: boolean): View {
  return { buffer: PARTIAL, from: 0, columns: PARTIAL_COLUMNS, routed };
}

function withScorer(kernel: Kernel, scorer: Global): Kernel {
  return { ...kernel, inputs: { ...kernel.inputs, scorer: { weight: scorer }, partial: partial(true) } };
}

/** True when the last thing that the body does is a linear that makes all of the hidden state. */
function endsInHidden({ kernels }: Body, columns: number): boolean {
  const last = kernels.at(-1);
  const { out } = last ?? {};
  const isWhole = out?.buffer === HIDDEN && out.from === 0 && out.columns === columns && out.routed;
  return last?.kind === 'linear' && isWhole && columns % PANEL === 0 && !('scorer' in last.inputs);
}

/** The gate of a block, if it is one linear in f32 behind an RMS norm. */
function linearGate({ bodies }: KernelProgram, block: BlockInstance): LinearGate | undefined {
  const { gate } = block;
  const body = bodies.find(({ name }) => name === gate?.body);
  const [kernel, another] = body?.kernels ?? [];
  if (gate === undefined || body === undefined || kernel?.kind !== 'linear' || another !== undefined) return undefined;
  const { x, weight, bias, gain, ...others } = kernel.inputs;
  const { norm, act } = kernel.attrs;
  if (x === undefined || !isView(x) || x.buffer !== HIDDEN || x.from !== 0 || !x.routed) return undefined;
  if (norm !== 'rms' || act !== undefined || Object.keys(others).length > 0 || kernel.out?.columns !== 1) {
    return undefined;
  }
  const formal = (input: typeof weight): number =>
    input === undefined || isView(input) ? -1 : body.formals.findIndex(({ name }) => name === input.weight);
  // A scorer is not rounded.
  if (body.formals[formal(weight)]?.layout !== 'panels') return undefined;
  const actual = (input: typeof weight): Global | undefined => gate.args[formal(input)];
  const [own, unit] = [actual(weight), actual(gain)];
  if (own === undefined || unit === undefined) return undefined;
  const { columns } = x;
  return { block, weight: own, bias: actual(bias), gain: unit, eps: numberAttr(kernel.attrs, 'eps'), columns };
}
