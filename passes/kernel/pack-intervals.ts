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

interface Placed<Name> {
  readonly item: Item<Name>;
  readonly offset: number;
}

/** Items that are alive together do not overlap. Equal sizes go in the given order. */
export function packIntervals<Name>(items: readonly Item<Name>[]): Packing<Name> {
  const placed: Placed<Name>[] = [];
  const inCode = new Map<number, { readonly interval: Interval; readonly user: Placed<Name> }[]>();
  for (const item of items.toSorted((a, b) => b.size - a.size)) {
    const around = new Set(
      item.intervals.flatMap((interval) =>
        (inCode.get(interval.code) ?? []).filter((other) => meet(interval, other.interval)).map(({ user }) => user),
      ),
    );
    const user = {
      item,
      offset: tightestGap(
        item.size,
        [...around].sort((a, b) => a.offset - b.offset),
      ),
    };
    placed.push(user);
    for (const interval of item.intervals) {
      const users = inCode.get(interval.code) ?? [];
      users.push({ interval, user });
      inCode.set(interval.code, users);
    }
  }
  const end = placed.reduce((most, { item, offset }) => Math.max(most, offset + item.size), 0);
  return { offsets: new Map(placed.map(({ item, offset }) => [item.name, offset])), end };
}

/** `around` in order of offset. */
function tightestGap(size: number, around: readonly Placed<unknown>[]): number {
  let end = 0;
  let best: { readonly at: number; readonly slack: number } | undefined;
  for (const { item, offset } of around) {
    const slack = offset - end - size;
    if (slack >= 0 && (best === undefined || slack < best.slack)) best = { at: end, slack };
    end = Math.max(end, offset + item.size);
  }
  return best?.at ?? end;
}

/** In the same code. */
function meet(a: Interval, b: Interval): boolean {
  return a.first <= b.last && b.first <= a.last;
}
