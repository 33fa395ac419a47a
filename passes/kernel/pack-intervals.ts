/** @file Packs things that live for a while into one stretch of memory: big ones first, each into the tightest gap. */

/** Lives from `first` to `last`, both included, while `code` runs. */
export interface Interval {
  readonly code: number;
  readonly first: number;
  readonly last: number;
}

export interface Item<Name> {
  readonly name: Name;
  readonly size: number;
  readonly intervals: readonly Interval[];
}

export interface Packing<Name> {
  readonly offsets: ReadonlyMap<Name, number>;
  readonly end: number;
}

/** Items that are alive together do not overlap. Equal sizes go in the given order. */
export function packIntervals<Name>(items: readonly Item<Name>[]): Packing<Name> {
  const placed: { readonly item: Item<Name>; readonly offset: number }[] = [];
  for (const item of items.toSorted((a, b) => b.size - a.size)) {
    const around = placed.filter((other) => liveTogether(other.item, item)).toSorted((a, b) => a.offset - b.offset);
    placed.push({ item, offset: tightestGap(item.size, around) });
  }
  const end = placed.reduce((most, { item, offset }) => Math.max(most, offset + item.size), 0);
  return { offsets: new Map(placed.map(({ item, offset }) => [item.name, offset])), end };
}

/** `around` in order of offset. */
function tightestGap(
  size: number,
  around: readonly { readonly item: { readonly size: number }; readonly offset: number }[],
): number {
  let end = 0;
  let best: { readonly at: number; readonly slack: number } | undefined;
  for (const { item, offset } of around) {
    const slack = offset - end - size;
    if (slack >= 0 && (best === undefined || slack < best.slack)) best = { at: end, slack };
    end = Math.max(end, offset + item.size);
  }
  return best?.at ?? end;
}

function liveTogether(
  a: { readonly intervals: readonly Interval[] },
  b: { readonly intervals: readonly Interval[] },
): boolean {
  return a.intervals.some((x) => b.intervals.some((y) => x.code === y.code && x.first <= y.last && y.first <= x.last));
}
