/** @file What a token would take in the KV cache, if the module were lowered and planned as it is. */
import { lower } from '../kernel/lower.ts';
import { planKvCache } from '../kernel/plan-kv-cache.ts';
import type { Module, PassContext } from '../pass.ts';

export interface KvBytes {
  /** Each attention block once. */
  readonly static: number;
  readonly worst: number;
}

/** Null where no block has attention. @throws RadialError RC07xx, as the passes */
export function kvBytesOf(module: Module, context: PassContext): KvBytes | null {
  const program = module.stage === 'kernel' ? module : lower.run(module, context);
  const { kv } = planKvCache.run(program, context);
  return kv && { static: kv.bytesPerTokenStatic, worst: kv.bytesPerTokenWorst };
}
