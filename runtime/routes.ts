/**
 * @file Which blocks a token executes: walks from masks, lists and functions, checked against the program's graph.
 *
 * Pure: knows the manifest's routing, not the memory.
 */
import { fail } from './artifact/errors.ts';
import type { EdgeInfo, RoutingInfo } from './artifact/manifest.ts';

/** The blocks that a token executes, in order. */
export type Walk = readonly number[];

/**
 * Which blocks each token executes. For tokens that it does not cover the program's routers decide; without learned routers
 * they take the default route: from each block its first successor. Rows beyond the sequence are not looked at.
 *
 * `mask`: [block][token], 1 where the token executes the block; blocks are executed in order of id.
 * `walk`: [token][hop], block ids; a function gives the walk of one token, or undefined for the default. Of several
 * sequences all have the same mask or walks; a function is told which one it is about.
 * What is longer than the hop cap is cut there.
 */
export type Route =
  | { readonly mask: readonly (readonly (number | boolean)[])[] }
  | { readonly walk: readonly Walk[] }
  | ((position: number, id: number, sequence: number) => Walk | undefined);

/** Gives the walk of each token, by default of sequence 0; undefined where the routers of the program decide. */
export type Router = (position: number, id: number, sequence?: number) => Walk | undefined;

export interface Routes {
  /** Undefined in programs with learned routers. */
  readonly defaultWalk: Walk | undefined;
  /** @throws RadialError RC0920 to RC0925 when the route does not fit the program; walks are checked when asked for */
  router(route: Route | undefined): Router;
}

type Successors = ReadonlyMap<number | 'entry', ReadonlySet<number | 'exit'>>;

export function createRoutes(routing: RoutingInfo): Routes {
  const defaultWalk = routing.decides === null ? followFirst(routing) : undefined;
  const successors: Successors = new Map<number | 'entry', ReadonlySet<number | 'exit'>>([
    ['entry', new Set(routing.entry.successors)],
    ...routing.blocks.map((block) => [block.id, new Set(block.successors)] as const),
  ]);
  const check = (walk: unknown, position: number): Walk => checkWalk({ walk, position, routing, successors });
  const router = (route: Route | undefined): Router => {
    if (route === undefined) return () => defaultWalk;
    requireRouters(routing);
    if (typeof route === 'function') {
      return (position, id, sequence = 0) => {
        const walk: unknown = route(position, id, sequence);
        return walk === undefined ? defaultWalk : check(walk, position);
      };
    }
    const walks = readRoute(route, routing);
    return (position) => (position < walks.length ? check(walks[position], position) : defaultWalk);
  };
  return { defaultWalk, router };
}

/** Whether one sweep over the blocks can run a token: its walk leads forward, or the routers decide and do so. */
export function isSwept(walk: Walk | undefined, { decides }: RoutingInfo): boolean {
  return walk === undefined ? decides === 'sweep' : isForward(walk);
}

/** Whether the blocks come in ascending order. */
export function isForward(walk: Walk): boolean {
  return walk.every((block, hop) => hop === 0 || block > (walk[hop - 1] ?? -1));
}

function followFirst({ entry, blocks, maxHops }: RoutingInfo): Walk {
  const edges = new Map<number, EdgeInfo>(blocks.map((block) => [block.id, block]));
  const walk: number[] = [];
  let edge: EdgeInfo | undefined = entry;
  while (walk.length < maxHops) {
    const next: number | 'exit' | undefined = edge?.successors[0];
    if (next === undefined || next === 'exit') break;
    walk.push(next);
    edge = edges.get(next);
  }
  return walk;
}

function requireRouters({ entry, blocks }: RoutingInfo): void {
  if (entry.router !== null || blocks.some((block) => block.router !== null)) return;
  fail('RC0920', 'a route was given, but this program has no routers', {
    help: 'compile it with --route external',
  });
}

/** A walk for each token that the route covers; not yet checked. */
function readRoute(route: unknown, routing: RoutingInfo): readonly unknown[] {
  const { mask, walk, ...rest } = isRecord(route) ? route : {};
  const others = Object.keys(rest);
  if ((mask === undefined) === (walk === undefined) || others.length > 0) {
    const found = isRecord(route) ? `the keys ${JSON.stringify(Object.keys(route))}` : describe(route);
    fail('RC0921', `the route has ${found}, expected exactly one of "mask" and "walk"`, {
      place: { subject: 'option "route"' },
      help: 'give { mask: [block][token] }, { walk: [token][hop] } or a function of position and id',
    });
  }
  if (mask !== undefined) return maskWalks(mask, routing);
  if (Array.isArray(walk)) return walk;
  return fail('RC0921', `walk is ${describe(walk)}, expected an array with a walk for each token`, walkHelp);
}

function maskWalks(mask: unknown, { blocks }: RoutingInfo): readonly Walk[] {
  const last = blocks.at(-1)?.id ?? -1;
  const rows = Array.isArray(mask) ? mask : [];
  if (rows.length <= last) {
    fail('RC0922', `the mask has ${rows.length} rows, the program has blocks up to ${last}`, {
      help: `give one row for each block, ${last + 1} in all`,
    });
  }
  const known = new Set(blocks.map((block) => block.id));
  const tokens = rowOf(rows, 0).length;
  const walks: number[][] = Array.from({ length: tokens }, () => []);
  for (let id = 0; id < rows.length; id++) {
    const row = rowOf(rows, id);
    if (row.length !== tokens) {
      fail('RC0922', `row ${id} of the mask has ${row.length} tokens, row 0 has ${tokens}`, maskHelp);
    }
    // Not `forEach`, which would leave out holes.
    for (const [token, value] of row.entries()) {
      if (value === 0 || value === false) continue;
      if (value !== 1 && value !== true) {
        fail('RC0922', `mask[${id}][${token}] is ${describe(value)}, expected 0 or 1`, maskHelp);
      }
      if (!known.has(id)) {
        fail('RC0924', `mask[${id}][${token}] is 1, but the program has no block ${id}`, {
          help: `its blocks are ${[...known].slice(0, 12).join(', ')}${known.size > 12 ? ', …' : ''}`,
        });
      }
      walks[token]?.push(id);
    }
  }
  return walks;
}

function rowOf(rows: readonly unknown[], id: number): readonly unknown[] {
  const row = rows[id];
  if (Array.isArray(row)) return row;
  return fail('RC0922', `row ${id} of the mask is ${describe(row)}, expected an array`, maskHelp);
}

const walkHelp = { help: 'a walk is [token][hop] of block ids' };

const maskHelp = { help: 'a mask is [block][token] of 0 and 1, with as many tokens in each row' };

interface WalkToCheck {
  readonly walk: unknown;
  readonly position: number;
  readonly routing: RoutingInfo;
  readonly successors: Successors;
}

/** The walk up to the hop cap, every edge of which is in the graph. */
function checkWalk({ walk, position, routing, successors }: WalkToCheck): Walk {
  if (!Array.isArray(walk)) {
    return fail(
      'RC0923',
      `the walk of token ${position} is ${describe(walk)}, expected an array of block ids`,
      walkHelp,
    );
  }
  const blocks: number[] = [];
  let from: number | 'entry' = 'entry';
  for (const [hop, id] of walk.slice(0, routing.maxHops).entries()) {
    if (typeof id !== 'number' || !successors.has(id)) {
      const last = routing.blocks.at(-1)?.id ?? -1;
      fail('RC0924', `hop ${hop} of token ${position} goes to ${describe(id)}, which is no block of this program`, {
        help: `blocks are numbered 2 · layer (attention) and 2 · layer + 1 (MLP), here up to ${last}`,
      });
    }
    checkEdge(successors, { from, to: id, position });
    blocks.push(id);
    from = id;
  }
  if (blocks.length < routing.maxHops) checkEdge(successors, { from, to: 'exit', position });
  return blocks;
}

interface Step {
  readonly from: number | 'entry';
  readonly to: number | 'exit';
  readonly position: number;
}

function checkEdge(successors: Successors, { from, to, position }: Step): void {
  const allowed = successors.get(from);
  if (allowed?.has(to) === true) return;
  const source = from === 'entry' ? 'the entry' : `block ${from}`;
  const list = [...(allowed ?? [])];
  const shown = list.length > 12 ? `${list.slice(0, 12).join(', ')}, …` : list.join(', ');
  fail(
    'RC0925',
    `token ${position} goes from ${source} to ${to === 'exit' ? 'the exit' : `block ${to}`}, an edge that is not in the graph`,
    {
      help: `successors of ${source}: ${shown}`,
    },
  );
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A value as a message shows it. */
function describe(value: unknown): string {
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object' && value !== null) return 'an object';
  return typeof value === 'string' ? JSON.stringify(value.slice(0, 40)) : String(value);
}
