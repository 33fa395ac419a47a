/** @file What the KV policies leave of tokens that skip, by running the interpreter on such walks. */
import assert from 'node:assert/strict';
import { createInterpreter } from '../../ir/index.ts';
import type { Network, RunOptions, WeightSource } from '../../ir/index.ts';
import { passesNamed, runPasses } from '../../passes/index.ts';
import type { PassOptions } from '../../passes/index.ts';
import type { KvReport } from '../../runtime/artifact/index.ts';

/** What is right, and what a policy has instead. */
export interface KvPair {
  readonly right: Float32Array;
  readonly left: Float32Array;
}

/** By {@link kvKey}. `input`: token ids, or pixels. */
export function kvPairs(
  network: Network,
  source: WeightSource,
  input: readonly number[] | Float32Array,
): ReadonlyMap<string, KvPair> {
  const blocks = network.blocks.map(({ id }) => id);
  const attention = network.blocks.filter(({ role }) => role === 'attention').map(({ id }) => id);
  const tokens = input instanceof Float32Array ? network.context : input.length;
  const run = (kv: PassOptions['kv'], options: RunOptions): void => {
    const { module } = runPasses(network, passesNamed(['radialize']), { options: { route: 'external', kv } });
    assert(module.stage === 'network');
    const interpreter = createInterpreter(module, source);
    if (input instanceof Float32Array) interpreter.runImage(input, options);
    else interpreter.runTokens(input, options);
  };
  const walks = (skips: (block: number, position: number) => boolean): number[][] =>
    Array.from({ length: tokens }, (_, position) => blocks.filter((block) => !skips(block, position)));
  const key = (block: number, position: number, name: string): string => `${block} ${position} ${name}`;
  const right = new Map<string, Float32Array>();
  run('absent', {
    walks: walks(() => false),
    onKv: ({ block, position, k, v }) => void right.set(key(block, position, 'k'), k).set(key(block, position, 'v'), v),
    onBlock: ({ block, position, out }) => void right.set(key(block, position, 'out'), out),
  });
  const pairs = new Map<string, KvPair>();
  const add = (block: number, position: number, report: KvReport, name: string, left: Float32Array): void => {
    const found = right.get(key(block, position, name));
    assert(found !== undefined);
    pairs.set(kvKey(block, position, report), { right: found, left });
  };
  for (const [i, block] of attention.entries()) {
    for (let token = 0; token < tokens; token++) {
      run('absent', {
        walks: walks((each, position) => each === block && position !== token),
        onBlock: (event) => {
          if (event.block === block && event.position === token) add(block, token, 'absent', 'out', event.out);
        },
      });
    }
    const before = attention[i - 1];
    if (before === undefined) continue;
    for (const policy of ['latest', 'project'] as const) {
      run(policy, {
        walks: walks((each) => each > before && each <= block),
        onKv: (event) => {
          if (event.block !== block) return;
          for (const name of ['k', 'v'] as const) add(block, event.position, `${policy}_${name}`, name, event[name]);
        },
      });
    }
  }
  return pairs;
}

export function kvKey(block: number, position: number, report: KvReport): string {
  return `${block} ${position} ${report}`;
}
