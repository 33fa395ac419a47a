/** @file What the option `--route` asks of the passes. */
import { fail, hasLearnedRouters } from '../ir/index.ts';
import type { OracleKind } from '../ir/index.ts';
import type { Module, PassOptions } from '../passes/index.ts';

/**
 * `learned` keeps the routers that the input has. Default: `learned` for a checkpoint with routers, `sequential` for one
 * without; the edges of a text stay as they are. Programs that ask an oracle are made to measure with, not to ship.
 */
export type RouteOption = 'sequential' | 'external' | 'learned' | OracleKind | undefined;

/** @param input - a checkpoint folder or a text. @throws RadialError RC0274 */
export function passRoute(route: RouteOption, module: Module, input: string): PassOptions['route'] {
  const isLearned = hasLearnedRouters(module);
  if (route === 'learned' && !isLearned) {
    fail('RC0274', 'the model has no routers of its own', {
      place: { file: input },
      help: 'leave --route out, or use --route external to give routes while it runs',
    });
  }
  if (route !== undefined) return route === 'learned' ? undefined : route;
  return input.endsWith('.rir') || isLearned ? undefined : 'sequential';
}
