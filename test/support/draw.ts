/** @file Random choices from a seed, for generators of test cases. */
import { createRandom } from '../../ir/random.ts';

export class Draw {
  readonly #next: () => number;

  constructor(seed: number) {
    this.#next = createRandom(seed);
  }

  /** In [0, 1). */
  unit(): number {
    return this.#next() / 2 ** 32;
  }

  /** A whole number from `low` to `high`, both included. */
  int(low: number, high: number): number {
    return low + Math.floor(this.unit() * (high - low + 1));
  }

  chance(probability: number): boolean {
    return this.unit() < probability;
  }

  pick<T>(items: readonly [T, ...(readonly T[])]): T {
    return items[this.int(0, items.length - 1)] ?? items[0];
  }

  /** The items in another order. */
  shuffled<T>(items: readonly T[]): readonly T[] {
    const drawn = items.map((item) => ({ item, place: this.unit() }));
    return drawn.sort((a, b) => a.place - b.place).map(({ item }) => item);
  }

  /** A number without a short decimal form. */
  float(low: number, high: number): number {
    return low + this.unit() * (high - low);
  }
}
