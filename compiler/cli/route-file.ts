/**
 * @file Routes as a file: what `run --record` writes, `run --replay` reads, and `compile --routes` goes by. A line of JSON for
 * each token that went through the program, after a first one that says whose they are: `table` is a {@link tableHash}.
 *
 *     {"format":"radial-routes","model":"opt","blocks":24,"table":"5d41…"}
 *     {"position":0,"id":2,"path":[0,1,2,3]}
 */
import * as z from 'zod';
import { fail } from '../../ir/diagnostics/diagnostic.ts';
import type { Traffic } from '../../passes/index.ts';
import type { ProgramInfo, RadialModel, Route, Walk } from '../../runtime/index.ts';
import { readNamed } from '../frontend/index.ts';
import { trafficOf } from '../routing/index.ts';

export const ROUTE_FORMAT = 'radial-routes';
/** Of a route file: a context of millions of tokens. */
const MAX_BYTES = 256 * 1024 * 1024;

/** A token's way through the program. */
export interface Step {
  readonly position: number;
  readonly id: number;
  readonly path: Walk;
}

const count = z.int().min(0);
const header = z.strictObject({
  format: z.literal(ROUTE_FORMAT),
  model: z.string(),
  blocks: count,
  table: z.string().optional(),
});
const line = z.strictObject({ position: count, id: count, path: z.array(count) });

/** @param table - of the model; undefined where it has none */
export function routeText({ info }: RadialModel, steps: readonly Step[], table: string | undefined): string {
  const { name, routing } = info;
  const lines = [{ format: ROUTE_FORMAT, model: name, blocks: routing.blocks.length, table }, ...steps];
  return lines.map((fields) => `${JSON.stringify(fields)}\n`).join('');
}

export interface RecordedRoute {
  /** In order of position. */
  readonly steps: readonly Step[];
  /** Tokens behind its end go as without it. @throws RadialError RC1016 where a token is another one */
  readonly route: Route;
}

/**
 * @param table - of the model; where it or that of the file is not there, as many blocks will do
 * @throws RadialError RC1015 (not such a file), RC1016 (of another model)
 */
export function readRoute(file: string, { routing }: ProgramInfo, table?: string): RecordedRoute {
  const { blocks, steps, ...found } = readSteps(file);
  if (found.table !== undefined && table !== undefined && found.table !== table) {
    fail('RC1016', `the routes are of another model, ${JSON.stringify(found.model)}, with other embeddings`, {
      place: { file },
      help: 'replay them with the model that they were recorded with, or a program compiled from it',
    });
  }
  if (blocks !== routing.blocks.length) {
    fail('RC1016', `the routes are of a model with ${blocks} blocks, this one has ${routing.blocks.length}`, {
      place: { file },
      help: 'replay them with the model that they were recorded with',
    });
  }
  const route = (position: number, id: number): Walk | undefined => {
    const step = steps[position];
    if (step === undefined || step.id === id) return step?.path;
    return fail('RC1016', `token ${position} is ${id}, the routes are of a text with ${step.id} there`, {
      place: { file, line: position + 2 },
      help: 'give the same prompt and sampling as when they were recorded',
    });
  };
  return { steps, route };
}

export interface RecordedTraffic {
  readonly traffic: Traffic;
  /** Of each token, in order. */
  readonly walks: readonly Walk[];
}

/** How often the recorded tokens took which edge. @throws RadialError RC1015 */
export function readTraffic(file: string): RecordedTraffic {
  const { blocks, steps } = readSteps(file);
  if (steps.length === 0) {
    fail('RC1015', 'the file has no routes', { place: { file }, help: 'record some with `run --record`' });
  }
  const walks = steps.map(({ path }) => path);
  return { traffic: { blocks, edges: trafficOf(walks, []).edges, file }, walks };
}

/** The header, and all tokens. */
function readSteps(file: string): Omit<z.infer<typeof header>, 'format'> & { readonly steps: readonly Step[] } {
  const [first = '', ...rest] = textOf(file).trimEnd().split('\n');
  const head = parsed(file, 1, first, header);
  const steps = rest.map((text, i) => {
    const step = parsed(file, i + 2, text, line);
    if (step.position === i) return step;
    return fail('RC1015', `position ${step.position} follows position ${i - 1}`, {
      place: { file, line: i + 2 },
      help: 'record the routes again; positions count from 0',
    });
  });
  return { ...head, steps };
}

function textOf(file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(readNamed(file, MAX_BYTES));
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return fail('RC1015', 'the file is not text', {
      place: { file },
      help: 'name a file that `run --record` has written',
    });
  }
}

function parsed<T>(file: string, at: number, text: string, schema: z.ZodType<T>): T {
  const result = schema.safeParse(valueOf(file, at, text));
  if (result.success) return result.data;
  return refuse(file, at);
}

function valueOf(file: string, at: number, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return refuse(file, at);
  }
}

function refuse(file: string, at: number): never {
  const expected = at === 1 ? `{"format":"${ROUTE_FORMAT}", "model", "blocks"}` : '{"position", "id", "path"}';
  return fail('RC1015', `the line is not ${expected}`, {
    place: { file, line: at },
    help: 'name a file that `run --record` has written',
  });
}

/** Each token executes the first `depth` blocks of the way that it goes without routers. */
export function depthRoute({ info }: RadialModel, depth: number): Route {
  const { entry, blocks } = info.routing;
  const next = new Map(blocks.map(({ id, successors }) => [id, successors[0]]));
  const walk: number[] = [];
  for (let at = entry.successors[0]; typeof at === 'number' && walk.length < depth; at = next.get(at)) walk.push(at);
  return () => walk;
}
