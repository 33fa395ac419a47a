/**
 * @file A program in memory: the module's exports and views of its buffers.
 *
 * Ids, walks and pixels are written into its memory; logits and probes are views of it.
 */
import { fail } from './artifact/errors.ts';
import { WALK_DECIDE, WALK_END, asksOracle } from './artifact/manifest.ts';
import type { ProgramInfo, Rows } from './artifact/manifest.ts';
import type { Walk } from './routes.ts';

/** Tokens that go through a pass. */
export interface Batch {
  /** Position of the first one. */
  readonly first: number;
  readonly ids: readonly number[];
  /** Of each token; looked at only where the program needs walks. Where there is none, the routers decide. */
  readonly walks: readonly (Walk | undefined)[];
}

export interface Program {
  readonly info: ProgramInfo;
  /** The region of the weight image. */
  readonly weights: Uint8Array;
  /** Starts a new sequence. */
  reset(): void;
  /** What gates' probabilities must exceed from now on, or the ratio that an oracle wants. */
  setThreshold(threshold: number): void;
  /** At most `chunk` tokens, with walks that lead forward. */
  prefill(batch: Batch): void;
  /** One token, any walk. */
  decode(position: number, id: number, walk: Walk | undefined): void;
  /** An image, channel by channel; a walk for each of its tokens. */
  image(pixels: Float32Array, walks: readonly (Walk | undefined)[]): void;
  /** The blocks that a row of the last pass executed, in a program that needs walks. */
  walk(row: number): Walk;
  /** Makes at most `headRows` rows of logits, of the tokens at rows `row` and following of the last pass; shared. */
  logits(row: number, count: number): readonly Float32Array[];
  /** What the probes of the last pass say of a row, shared; undefined where the program has none. Blocks that the row did
   * not execute hold numbers of earlier passes. */
  probes(row: number): Float32Array | undefined;
  /** The same of the probes of KV lists. */
  kvProbes(row: number): Float32Array | undefined;
}

interface Exports {
  readonly memory: WebAssembly.Memory;
  readonly reset: () => void;
  readonly prefill: (first: number, count: number) => void;
  readonly decode: (position: number) => void;
  readonly head: (row: number, count: number) => void;
}

/**
 * Compiles the module and makes its memory. The weights are still to be filled in.
 * @param file - what messages call the module
 * @throws RadialError RC0812 (engine), RC0813 (memory), RC0814 (module and description disagree)
 */
export async function instantiate(info: ProgramInfo, wasm: Uint8Array, file = 'model.wasm'): Promise<Program> {
  const module = await WebAssembly.compile(wasm as Uint8Array<ArrayBuffer>).catch((error: unknown) => {
    return fail('RC0812', `this engine cannot run the program: ${messageOf(error)}`, {
      place: { file },
      help: 'use an engine with WebAssembly SIMD: Chrome 91, Firefox 89, Safari 16.4, Node 20 or later',
      cause: error,
    });
  });
  const [imported] = WebAssembly.Module.imports(module);
  if (imported !== undefined) mismatch(file, `imports ${JSON.stringify(`${imported.module}.${imported.name}`)}`);
  const instance = await WebAssembly.instantiate(module).catch((error: unknown) => {
    const megabytes = Math.ceil(info.memory.bytes / 1e6);
    return fail('RC0813', `the engine did not start the program: ${messageOf(error)}`, {
      help: `it needs ${megabytes} MB of memory; close other programs or compile it with a smaller context`,
      cause: error,
    });
  });
  return createProgram(info, checkExports(instance.exports, info.memory.bytes, file), file);
}

function createProgram(info: ProgramInfo, exports: Exports, file: string): Program {
  const { abi, shapes, memory, routing } = info;
  const { buffer } = exports.memory;
  const integers = (rows: Rows): Int32Array => new Int32Array(buffer, rows.at, rows.rows * rows.stride);
  const floats = (rows: Rows): Float32Array => new Float32Array(buffer, rows.at, rows.rows * rows.stride);
  const ids = abi.ids === null ? undefined : { view: integers(abi.ids), stride: abi.ids.stride };
  const walk =
    abi.walk === null || !routing.needsWalk ? undefined : { view: integers(abi.walk), stride: abi.walk.stride };
  const pixels = abi.pixels === null ? undefined : floats(abi.pixels);
  const rowsOf = (place: Rows | null): ((row: number) => Float32Array | undefined) => {
    if (place === null) return () => undefined;
    const view = floats(place);
    return (row) => view.subarray(row * place.stride, (row + 1) * place.stride);
  };
  const logits = floats(abi.logits);
  const rows = Array.from({ length: shapes.headRows }, (_, row) => {
    return logits.subarray(row * abi.logits.stride, row * abi.logits.stride + shapes.outputs);
  });
  const putId = (row: number, id: number): void => {
    if (ids !== undefined) ids.view[row * ids.stride] = id;
  };
  const isRatio = asksOracle(routing);
  const level = abi.level === null ? undefined : floats(abi.level);
  const setThreshold = (threshold: number): void => {
    level?.fill(isRatio ? threshold : Math.log(threshold / (1 - threshold)));
  };
  setThreshold(routing.threshold);
  const putWalk = (row: number, blocks: Walk | undefined): void => {
    if (walk === undefined) return;
    const start = row * walk.stride;
    if (blocks === undefined) {
      walk.view.fill(WALK_DECIDE, start, start + routing.maxHops + 1);
      return;
    }
    blocks.forEach((block, hop) => (walk.view[start + hop] = block));
    walk.view[start + blocks.length] = WALK_END;
  };
  const run = (call: () => void): void => {
    guarded(call);
    // A memory that has grown is another buffer, of which the views here know nothing.
    if (exports.memory.buffer !== buffer) mismatch(file, 'changed the size of its memory while it ran');
  };
  return {
    info,
    weights: new Uint8Array(buffer, memory.weightsAt, memory.weightsBytes),
    reset: () => run(exports.reset),
    setThreshold,
    prefill: ({ first, ids: tokens, walks }) => {
      tokens.forEach((id, row) => {
        putId(row, id);
        putWalk(row, walks[row]);
      });
      run(() => exports.prefill(first, tokens.length));
    },
    decode: (position, id, blocks) => {
      putId(0, id);
      putWalk(0, blocks);
      run(() => exports.decode(position));
    },
    image: (image, walks) => {
      pixels?.set(image);
      walks.forEach((blocks, row) => putWalk(row, blocks));
      run(() => exports.prefill(0, shapes.context));
    },
    walk: (row) => {
      if (walk === undefined) return [];
      const hops = walk.view.subarray(row * walk.stride, row * walk.stride + routing.maxHops);
      const end = hops.indexOf(WALK_END);
      return Array.from(end < 0 ? hops : hops.subarray(0, end));
    },
    logits: (row, count) => {
      run(() => exports.head(row, count));
      return rows.slice(0, count);
    },
    probes: rowsOf(abi.probes),
    kvProbes: rowsOf(abi.kvProbes),
  };
}

function checkExports(exports: WebAssembly.Exports, bytes: number, file: string): Exports {
  const { memory, reset, prefill, decode, head } = exports as Partial<Record<string, unknown>>;
  if (!(memory instanceof WebAssembly.Memory)) return mismatch(file, 'does not export its memory');
  if (memory.buffer.byteLength !== bytes) {
    mismatch(file, `has a memory of ${memory.buffer.byteLength} bytes, expected ${bytes}`);
  }
  const names = Object.entries({ reset, prefill, decode, head });
  const missing = names.find(([, value]) => typeof value !== 'function');
  if (missing !== undefined) mismatch(file, `does not export the function ${missing[0]}`);
  return exports as unknown as Exports;
}

function guarded(call: () => void): void {
  try {
    call();
  } catch (error) {
    fail('RC0912', `the program stopped: ${messageOf(error)}`, {
      help: 'this is a bug of the compiler; please report it with the command that compiled the artifact',
      cause: error,
    });
  }
}

function mismatch(file: string, what: string): never {
  return fail('RC0814', `the module ${what}`, { place: { file }, help: 'compile the artifact again' });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
