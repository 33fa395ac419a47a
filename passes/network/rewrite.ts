/** @file What network passes share: change regions, replace values, find free names. Nothing changed: the same object. */
import { isGlobal, opSpecs, uses } from '../../ir/index.ts';
import type { Attrs, Const, Global, Local, Network, Op, Ref, Region } from '../../ir/index.ts';

/** What constants and ops have in common. */
export type Node = Const | Op;

export function mapSame<T>(list: readonly T[], change: (item: T) => T): readonly T[] {
  const changed = list.map(change);
  return changed.every((item, index) => item === list[index]) ? list : changed;
}

export function mapRegions(network: Network, change: (region: Region) => Region): Network {
  const entryRegion = change(network.entry);
  const entry = entryRegion === network.entry ? network.entry : { ...entryRegion, edge: network.entry.edge };
  const hub = network.hub && change(network.hub);
  const blocks = mapSame(network.blocks, (block) => {
    const [gate, body] = [block.gate && change(block.gate), change(block.body)];
    return gate === block.gate && body === block.body ? block : { ...block, ...(gate && { gate }), body };
  });
  const exit = change(network.exit);
  const same = entry === network.entry && hub === network.hub && blocks === network.blocks && exit === network.exit;
  return same ? network : { ...network, entry, ...(hub && { hub }), blocks, exit };
}

export function withConsts(network: Network, consts: readonly Const[]): Network {
  return consts === network.consts ? network : { ...network, consts };
}

/** The op with its reads replaced. */
export function replaceReads(op: Op, replace: (ref: Ref) => Ref): Op {
  if (uses(op).every((ref) => replace(ref) === ref)) return op;
  const extras = Object.fromEntries(Object.entries(op.extras).map(([name, ref]) => [name, replace(ref)]));
  return { ...op, operands: op.operands.map(replace), extras };
}

/** The constant with its reads replaced. */
export function replaceConstReads(constant: Const, replace: (ref: Global) => Global): Const {
  if (constant.operands.every((ref) => replace(ref) === ref)) return constant;
  return { ...constant, operands: constant.operands.map(replace) };
}

/** What a replacement of constants by constants makes of a region's local refs: nothing. */
export function onGlobals(replace: (ref: Global) => Global): (ref: Ref) => Ref {
  return (ref) => (isGlobal(ref) ? replace(ref) : ref);
}

/** A linear with more optional operands and attributes, in the order of the op table. */
export function extendLinear(
  linear: Op,
  more: { readonly extras?: Readonly<Record<string, Ref>>; readonly attrs?: Attrs },
): Op {
  const spec = opSpecs.linear;
  return {
    ...linear,
    extras: inOrder({ ...linear.extras, ...more.extras }, spec.extras ?? []),
    attrs: inOrder({ ...linear.attrs, ...more.attrs }, Object.keys(spec.attrs ?? {})),
  };
}

function inOrder<T>(record: Readonly<Record<string, T>>, order: readonly string[]): Readonly<Record<string, T>> {
  return Object.fromEntries(Object.entries(record).toSorted(([a], [b]) => order.indexOf(a) - order.indexOf(b)));
}

/** `@stem`, or the first of `@stem.2`, `@stem.3`, … that is free. */
export function freeGlobal(taken: { has(name: Global): boolean }, stem: string): Global {
  return globalNamer(taken, stem)();
}

/** Names that are free one after the other, to be taken at once: `@stem`, `@stem.2`, `@stem.3`, … */
export function globalNamer(taken: { has(name: Global): boolean }, stem: string): () => Global {
  let n = 0;
  return () => {
    for (;;) {
      n++;
      const name: Global = n === 1 ? `@${stem}` : `@${stem}.${n}`;
      if (!taken.has(name)) return name;
    }
  };
}

/** The first of `%0`, `%1`, … from the number of ops on that the region does not define. */
export function freeLocal(region: Region): Local {
  const taken = new Set<Ref>([...region.params.map(({ name }) => name), ...region.ops.map(({ result }) => result)]);
  let n = region.ops.length;
  while (taken.has(`%${n}`)) n++;
  return `%${n}`;
}

/** Equal for two nodes exactly when they compute the same from the same. */
export function nodeKey(node: Node): string {
  const sorted = (record: Readonly<Record<string, unknown>>) =>
    Object.entries(record).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify([
    node.kind,
    node.operands,
    'extras' in node ? sorted(node.extras) : [],
    sorted(node.attrs),
    node.type,
  ]);
}
