/** @file Which values lie where while the code of a region is lowered, and until when they are read. */
import type { BufferName, View } from '../../ir/index.ts';

interface Resident {
  readonly view: View;
  /** Index of the last op that reads it. */
  readonly lastUse: number;
}

export class Residents {
  readonly #lists = new Map<BufferName, { all: Resident[]; limit: number }>();

  /** A value comes to lie in a view while op number `at` is lowered. */
  add(view: View, lastUse: number, at: number): void {
    const list = this.#lists.get(view.buffer) ?? { all: [], limit: 16 };
    this.#lists.set(view.buffer, list);
    list.all.push({ view, lastUse });
    if (list.all.length < list.limit) return;
    // Of a long chain of values in one place only few are still read.
    list.all = list.all.filter((resident) => resident.lastUse >= at);
    list.limit = 2 * list.all.length + 16;
  }

  /** True when a value that lies in the view is read after op number `at`. */
  isLive(view: View, at: number): boolean {
    const { all = [] } = this.#lists.get(view.buffer) ?? {};
    return all.some((resident) => resident.lastUse > at && overlaps(resident.view, view));
  }
}

/** True when two views of one buffer have columns in common. */
export function overlaps(a: View, b: View): boolean {
  return a.buffer === b.buffer && a.from < b.from + b.columns && b.from < a.from + a.columns;
}
