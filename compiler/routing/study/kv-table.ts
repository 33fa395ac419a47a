/** @file What the KV cache costs for a token: planned, at worst, and on the paths that were taken. */
import type { KvPolicy, RevisitRule } from '../../../ir/index.ts';
import type { ProgramInfo } from '../../../runtime/artifact/index.ts';
import type { Walk } from '../../../runtime/index.ts';
import { createKvLists } from './kv-lists.ts';
import type { KvTable } from './study.ts';

/** @param sequences - [sequence][token] */
export function kvTable({ kv, routing }: ProgramInfo, sequences: readonly (readonly Walk[])[]): KvTable | null {
  if (kv === null) return null;
  const { revisit, blocks } = routing;
  const entryBytes = kv.pageBytes / kv.slots;
  const under = (policy: KvPolicy): number => entryBytes * meanEntries({ kv: policy, revisit, blocks }, sequences);
  const policies = { absent: under('absent'), project: under('project'), latest: under('latest') };
  return {
    ...{ policy: routing.kv, revisit, entryBytes, policies },
    static: kv.bytesPerTokenStatic,
    worst: kv.bytesPerTokenWorst,
    expected: policies[routing.kv],
  };
}

interface Rules {
  readonly kv: KvPolicy;
  readonly revisit: RevisitRule;
  readonly blocks: ProgramInfo['routing']['blocks'];
}

function meanEntries(rules: Rules, sequences: readonly (readonly Walk[])[]): number {
  let [entries, tokens] = [0, 0];
  for (const walks of sequences) {
    const step = createKvLists(rules);
    for (const walk of walks) entries += step(walk).entries;
    tokens += walks.length;
  }
  return entries / tokens;
}
