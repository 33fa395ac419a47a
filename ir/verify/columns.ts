/** @file A set of columns of a buffer. */

export interface Range {
  readonly from: number;
  /** Not included. */
  readonly to: number;
}

export class Columns {
  /** In ascending order; neither overlapping nor touching. */
  readonly #ranges: Range[] = [];

  add({ from, to }: Range): void {
    const first = this.#firstReaching(from);
    let [low, high, next] = [from, to, first];
    for (let range = this.#ranges[next]; range !== undefined && range.from <= to; range = this.#ranges[++next]) {
      low = Math.min(low, range.from);
      high = Math.max(high, range.to);
    }
    this.#ranges.splice(first, next - first, { from: low, to: high });
  }

  includes({ from, to }: Range): boolean {
    const range = this.#ranges[this.#firstReaching(to)];
    return range !== undefined && range.from <= from;
  }

  /** Index of the first range that ends at the column or after it. */
  #firstReaching(column: number): number {
    let [low, high] = [0, this.#ranges.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#ranges[middle]?.to ?? 0) < column) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
