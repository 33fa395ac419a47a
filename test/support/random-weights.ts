/** @file Constants of random networks: made in roundabout ways, under names that need care. */
import { ConstBuilder } from '../../ir/builder.ts';
import type { Global, Op } from '../../ir/types.ts';
import type { Draw } from './draw.ts';

/** None ends in a digit: with a number behind them they remain distinct. */
const oddNames = [
  'two words',
  'line\nbreak',
  '*/ /*',
  '"quoted"',
  '__proto__',
  'constructor',
  'é𝄞',
  '-',
  '..',
  'a.b-c/d$e',
  '%x',
  '^0^',
  '7.',
  '',
] as const;

/** A fresh name: mostly plain, at times one that must be quoted. */
export function oddName(draw: Draw, number: number, probability: number): string {
  return draw.chance(probability) ? `${draw.pick(oddNames)}${number === 0 ? '' : number}` : `w${number}`;
}

export class RandomWeights {
  readonly #draw: Draw;
  readonly #consts = new ConstBuilder();
  readonly #odd: number;
  #count = 0;

  constructor(draw: Draw, odd: number) {
    this.#draw = draw;
    this.#odd = odd;
  }

  readonly type = (ref: Global): Op['type'] => this.#consts.type(ref);

  list(): ReturnType<ConstBuilder['list']> {
    return this.#consts.list();
  }

  #name(): string {
    this.#count++;
    return oddName(this.#draw, this.#count, this.#odd);
  }

  #random(shape: readonly number[], mean: number, std: number): Global {
    return this.#consts.add(this.#name(), 'random', [], {
      attrs: { seed: this.#draw.int(0, 2 ** 31), mean, std },
      type: { dtype: 'f32', shape },
    });
  }

  /** [out, in], scaled so that rows keep their length. */
  matrix(out: number, inner: number): Global {
    const std = 1 / Math.sqrt(inner);
    const form = this.#draw.int(0, 9);
    if (form === 0) return this.#consts.add(this.#name(), 'transpose', [this.#random([inner, out], 0, std)]);
    if (form === 1) {
      return this.#consts.add(this.#name(), 'reshape', [this.#random([out * inner], 0, std)], {
        attrs: { shape: [out, inner] },
      });
    }
    if (form === 2 && out > 1) {
      const cut = this.#draw.int(1, out - 1);
      const parts = [this.#random([cut, inner], 0, std), this.#random([out - cut, inner], 0, std)];
      return this.#consts.add(this.#name(), 'concat', parts, { attrs: { axis: 0 } });
    }
    if (form === 3) {
      const from = this.#draw.int(0, 3);
      const whole = this.#random([out, inner + from + 1], 0, std);
      return this.#consts.add(this.#name(), 'slice', [whole], { attrs: { axis: 1, from, to: from + inner } });
    }
    if (form === 4) {
      return this.#consts.add(this.#name(), 'scale', [this.#random([out, inner], 0, 1)], { attrs: { by: std } });
    }
    return this.#random([out, inner], 0, std);
  }

  /** [size], around `mean`. */
  vector(size: number, mean: number): Global {
    const form = this.#draw.int(0, 7);
    const type = { dtype: 'f32', shape: [size] } as const;
    if (form === 0) return this.#consts.add(this.#name(), 'full', [], { attrs: { value: mean }, type });
    if (form === 1) {
      const data = Array.from({ length: size }, () => mean + this.#draw.float(-0.1, 0.1));
      return this.#consts.add(this.#name(), 'values', [], { attrs: { data }, type });
    }
    if (form === 2) {
      return this.#consts.add(this.#name(), 'add', [this.#random([size], mean, 0.1), this.#random([size], 0, 0.1)]);
    }
    if (form === 3) {
      return this.#consts.add(this.#name(), 'mul', [this.#random([size], mean, 0.1), this.#random([size], 1, 0.1)]);
    }
    if (form === 4) return this.#consts.add(this.#name(), 'tanh', [this.#random([size], mean, 0.1)]);
    return this.#random([size], mean, 0.1);
  }

  /** cos and sin of `length` positions for heads of `headDim`. */
  rotations(length: number, headDim: number): readonly [Global, Global] {
    const data = Array.from({ length: headDim / 2 }, (_, i) => 10000 ** ((-2 * i) / headDim));
    const frequencies = this.#consts.add(this.#name(), 'values', [], {
      attrs: { data },
      type: { dtype: 'f32', shape: [headDim / 2] },
    });
    const table = (name: string): Global =>
      this.#consts.add(this.#name(), 'rope_table', [frequencies], { attrs: { length, function: name } });
    return [table('cos'), table('sin')];
  }

  /** A constant that nothing needs. */
  unused(): void {
    this.vector(this.#draw.int(1, 4), 0);
  }
}
