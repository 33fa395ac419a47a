/** @file Regions of random networks: each feature of a linear map fused into it or left as an op of its own. */
import { activations } from '../../ir/ops/math.ts';
import type { Activation } from '../../ir/ops/math.ts';
import type { RegionBuilder } from '../../ir/builder.ts';
import type { Global, Local, Ref, Region } from '../../ir/types.ts';
import type { Draw } from './draw.ts';
import type { RandomWeights } from './random-weights.ts';

/** What the blocks of one network have in common. */
export interface Design {
  readonly draw: Draw;
  readonly weights: RandomWeights;
  readonly hidden: number;
  readonly context: number;
  readonly causal: boolean;
  readonly norm: 'layer' | 'rms';
  readonly postNorm: boolean;
  readonly act: Activation;
  readonly gated: boolean;
  readonly bias: boolean;
  readonly rope: boolean;
  /** Drawn for each attention block unless given. */
  readonly heads: HeadShape | undefined;
  /** How likely each feature is fused: 0 is what a front end writes, 1 what the passes make of it. */
  readonly fused: number;
  /** How likely useless work is inserted. */
  readonly noise: number;
}

interface HeadShape {
  readonly headDim: number;
  readonly heads: number;
  readonly kvHeads: number;
}

function drawHeads(draw: Draw): HeadShape {
  const kvHeads = draw.int(1, 2);
  return { headDim: draw.pick([2, 4, 6]), kvHeads, heads: kvHeads * draw.int(1, 3) };
}

interface Fixed extends Pick<Design, 'context' | 'causal' | 'noise'> {
  /** All attention blocks have the same heads. */
  readonly sameHeads: boolean;
}

export function drawDesign(draw: Draw, weights: RandomWeights, { sameHeads, ...fixed }: Fixed): Design {
  return {
    draw,
    weights,
    ...fixed,
    hidden: draw.pick([4, 8, 12, 16]),
    norm: draw.pick(['layer', 'rms']),
    postNorm: draw.chance(0.2),
    act: draw.pick(activations),
    gated: draw.chance(0.4),
    bias: draw.chance(0.6),
    rope: fixed.causal && draw.chance(0.5),
    fused: draw.pick([0, 0, 0.5, 1]),
    heads: sameHeads ? drawHeads(draw) : undefined,
  };
}

interface NormPart {
  readonly gain: Global;
  readonly shift?: Global;
  readonly eps: number;
}

/** The tail of a linear map, in the order in which it is applied. */
interface Tail {
  readonly norm?: boolean;
  readonly act?: Activation;
  readonly mul?: Ref;
  readonly residual?: Ref;
}

interface LinearTail {
  readonly bias?: Ref;
  readonly act?: Activation;
  readonly mul?: Ref;
  readonly residual?: Ref;
}

/** What a design writes into one region. */
export class RegionWriter {
  readonly #design: Design;
  readonly region: RegionBuilder;

  constructor(design: Design, region: RegionBuilder) {
    this.#design = design;
    this.region = region;
  }

  #normPart(width: number): NormPart {
    const { draw, weights, norm } = this.#design;
    const eps = draw.pick([1e-5, 1e-6, 1e-12, 0.1, draw.float(1e-7, 1e-4)]);
    return { gain: weights.vector(width, 1), ...(norm === 'layer' ? { shift: weights.vector(width, 0) } : {}), eps };
  }

  #normOp(x: Ref, { gain, shift, eps }: NormPart): Local {
    if (shift === undefined) return this.region.op('rms_norm', [x, gain], { attrs: { eps } });
    return this.region.op('layer_norm', [x, gain, shift], { attrs: { eps } });
  }

  /** The last size of a value. */
  #width(ref: Ref): number {
    return Number(this.region.type(ref).shape.at(-1));
  }

  norm(x: Ref): Local {
    return this.#normOp(x, this.#normPart(this.#width(x)));
  }

  /** residual + mul · act(norm(x) · weightᵀ + bias), some of it fused. */
  linear(x: Ref, out: number, tail: Tail = {}): Local {
    const { draw, weights, bias, fused, norm } = this.#design;
    const inner = this.#width(x);
    const part = tail.norm === true ? this.#normPart(inner) : undefined;
    const fuseNorm = part !== undefined && draw.chance(fused);
    const input = part === undefined || fuseNorm ? x : this.#normOp(x, part);
    const stages: readonly LinearTail[] = [
      bias ? { bias: weights.vector(out, 0) } : {},
      tail.act === undefined ? {} : { act: tail.act },
      tail.mul === undefined ? {} : { mul: tail.mul },
      tail.residual === undefined ? {} : { residual: tail.residual },
    ];
    // Only a prefix of what follows the product can be part of it.
    const cut = stages.findIndex((stage) => Object.keys(stage).length > 0 && !draw.chance(fused));
    const joined = (parts: readonly LinearTail[]): LinearTail => parts.reduce((all, part) => ({ ...all, ...part }), {});
    const inside = joined(cut === -1 ? stages : stages.slice(0, cut));
    const outside = joined(cut === -1 ? [] : stages.slice(cut));
    const { act, ...extras } = inside;
    let y = this.region.op('linear', [input, weights.matrix(out, inner)], {
      extras: { ...extras, ...(fuseNorm ? { gain: part.gain, shift: part.shift } : {}) },
      attrs: { act, ...(fuseNorm ? { norm, eps: part.eps } : {}) },
    });
    if (outside.bias !== undefined) y = this.region.op('add', [y, outside.bias]);
    if (outside.act !== undefined) y = this.region.op(outside.act, [y]);
    if (outside.mul !== undefined) y = this.region.op('mul', [y, outside.mul]);
    return outside.residual === undefined ? y : this.region.op('residual', [outside.residual, y]);
  }

  /** `x`, at times after work that is useless or can be done more simply. */
  noisy(x: Local): Local {
    const { draw, noise, weights } = this.#design;
    if (!draw.chance(noise)) return x;
    const form = draw.int(0, 4);
    if (form === 0) return this.region.op('scale', [x], { attrs: { by: draw.pick([1, 0.5, draw.float(0.5, 2)]) } });
    if (form === 1) this.region.op('add', [x, this.region.op('relu', [x])]);
    if (form === 2) this.region.op('linear', [x, weights.matrix(3, this.#width(x))]);
    if (form === 3) {
      const twice = [this.region.op('tanh', [x]), this.region.op('tanh', [x])] as const;
      return this.region.op('add', [x, this.region.op('mul', twice)]);
    }
    return x;
  }

  attention(x: Local, positions: Local, residual: Local): Local {
    const { draw, weights, context, causal, rope, postNorm, hidden } = this.#design;
    const { headDim, heads, kvHeads } = this.#design.heads ?? drawHeads(draw);
    const [wide, narrow] = [heads * headDim, kvHeads * headDim];
    let [q, k, v] = this.#projections(x, wide, narrow, !postNorm);
    if (rope) {
      const [cos, sin] = weights.rotations(context, headDim);
      q = this.region.op('rope', [q, positions, cos, sin], { attrs: { head_dim: headDim } });
      k = this.region.op('rope', [k, positions, cos, sin], { attrs: { head_dim: headDim } });
    }
    const scale = draw.pick([1 / Math.sqrt(headDim), 1, draw.float(0.1, 1)]);
    const mixed = this.region.op('attention', [q, k, v], { attrs: { heads, kv_heads: kvHeads, scale, causal } });
    return this.#close(this.linear(this.noisy(mixed), hidden, { residual }));
  }

  /** q, k and v: three maps of a shared or of separate norms, or one map that is cut. */
  #projections(x: Local, wide: number, narrow: number, norm: boolean): [Local, Local, Local] {
    const { draw } = this.#design;
    const form = draw.int(0, 2);
    if (form === 0) {
      const all = this.linear(x, wide + 2 * narrow, { norm });
      const part = (from: number, size: number): Local =>
        this.region.op('slice', [all], { attrs: { axis: 1, from, to: from + size } });
      return [part(0, wide), part(wide, narrow), part(wide + narrow, narrow)];
    }
    const isShared = norm && form === 1;
    const input = isShared ? this.norm(x) : x;
    const own = { norm: norm && !isShared };
    return [this.linear(input, wide, own), this.linear(input, narrow, own), this.linear(input, narrow, own)];
  }

  mlp(x: Local, residual: Local): Local {
    const { draw, act, gated, postNorm, hidden } = this.#design;
    const inner = draw.pick([4, 8, 10, 24]);
    const input = postNorm ? x : this.norm(x);
    const up = gated ? { act, mul: this.linear(input, inner) } : { act };
    const wide = this.noisy(this.linear(input, inner, up));
    return this.#close(this.linear(wide, hidden, { residual }));
  }

  #close(sum: Local): Local {
    return this.#design.postNorm ? this.norm(sum) : sum;
  }
}

/** The region with its values renamed, so that not all are called %0, %1, … */
export function renamed(region: Region, rename: (name: Local) => Local): Region {
  const names = new Map<Ref, Local>(
    [...region.params.map((param) => param.name), ...region.ops.map((op) => op.result)].map((name) => [
      name,
      rename(name),
    ]),
  );
  const of = (ref: Ref): Ref => names.get(ref) ?? ref;
  const local = (name: Local): Local => names.get(name) ?? name;
  return {
    params: region.params.map((param) => ({ ...param, name: local(param.name) })),
    ops: region.ops.map((op) => ({
      ...op,
      operands: op.operands.map(of),
      extras: Object.fromEntries(Object.entries(op.extras).map(([name, ref]) => [name, of(ref)])),
      result: local(op.result),
    })),
    result: local(region.result),
  };
}
