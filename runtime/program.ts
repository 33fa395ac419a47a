/**
 * @file A program in memory: the module's exports and views of its buffers.
 *
 * Ids, walks and pixels are written into its memory; logits and probes are views of it.
 */
import { fail } from './artifact/errors.ts';
import { asksOracle } from './artifact/manifest.ts';
import type { ProgramInfo, Rows } from './artifact/manifest.ts';
import { isSwept } from './routes.ts';
import type { Walk } from './routes.ts';
import { createTokenRows } from './token-rows.ts';

/** Tokens of a sequence that go through a pass. */
export interface Batch {
  /** Default 0. */
  readonly sequence?: number;
  /** Position of the first one. */
  readonly first: number;
  readonly ids: readonly number[];
  /** Of each token; looked at only where the program needs walks. Where there is none, the routers decide. */
  readonly walks: readonly (Walk | undefined)[];
}

/** A token of one of several sequences. */
export interface StepToken {
  readonly sequence: number;
  readonly position: number;
  readonly id: number;
  /** As in {@link Batch}. */
  readonly walk: Walk | undefined;
}

export interface Program {
  readonly info: ProgramInfo;
  /** The region of the weight image. */
  readonly weights: Uint8Array;
  /** Forgets all sequences. */
  reset(): void;
  /** Starts a new sequence in the place of one. */
  forget(sequence: number): void;
  /** What gates' probabilities must exceed from now on, or the ratio that an oracle wants. */
  setThreshold(threshold: number): void;
  /** At most `chunk` tokens, with walks that lead forward. */
  prefill(batch: Batch): void;
  /** The next tokens of different sequences, together, with any walks; token i is row i. */
  step(tokens: readonly StepToken[]): void;
  /** One token of sequence 0, any walk. */
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
  /** These two only in programs for several sequences. */
  readonly step: (count: number, forward: number) => void;
  readonly forget: (sequence: number) => void;
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
  return createProgram(info, checkExports(instance.exports, info, file), file);
}

function createProgram(info: ProgramInfo, exports: Exports, file: string): Program {
  const { abi, shapes, memory, routing } = info;
  const { buffer } = exports.memory;
  const rows = createTokenRows(info, buffer);
  const floats = (place: Rows): Float32Array => new Float32Array(buffer, place.at, place.rows * place.stride);
  const pixels = abi.pixels === null ? undefined : floats(abi.pixels);
  const rowsOf = (place: Rows | null): ((row: number) => Float32Array | undefined) => {
    if (place === null) return () => undefined;
    const view = floats(place);
    return (row) => view.subarray(row * place.stride, (row + 1) * place.stride);
  };
  const logits = floats(abi.logits);
  const logitRows = Array.from({ length: shapes.headRows }, (_, row) => {
    return logits.subarray(row * abi.logits.stride, row * abi.logits.stride + shapes.outputs);
  });
  const isRatio = asksOracle(routing);
  const level = abi.level === null ? undefined : floats(abi.level);
  const setThreshold = (threshold: number): void => {
    level?.fill(isRatio ? threshold : Math.log(threshold / (1 - threshold)));
  };
  setThreshold(routing.threshold);
  const run = (call: () => void): void => {
    guarded(call);
    // A memory that has grown is another buffer, of which the views here know nothing.
    if (exports.memory.buffer !== buffer) mismatch(file, 'changed the size of its memory while it ran');
  };
  const decode = (position: number, id: number, walk: Walk | undefined): void => {
    rows.put(0, { id, sequence: 0, walk });
    run(() => exports.decode(position));
  };
  return {
    info,
    weights: new Uint8Array(buffer, memory.weightsAt, memory.weightsBytes),
    reset: () => run(exports.reset),
    setThreshold,
    forget: (sequence) => run(() => (shapes.sequences === 1 ? exports.reset() : exports.forget(sequence))),
    prefill: ({ sequence = 0, first, ids, walks }) => {
      ids.forEach((id, row) => rows.put(row, { id, sequence, walk: walks[row] }));
      run(() => exports.prefill(first, ids.length));
    },
    step: (tokens) => {
      if (shapes.sequences === 1) {
        tokens.forEach(({ position, id, walk }) => decode(position, id, walk));
        return;
      }
      tokens.forEach((token, row) => rows.put(row, token));
      const forward = tokens.every(({ walk }) => isSwept(walk, routing));
      run(() => exports.step(tokens.length, Number(forward)));
    },
    decode,
    image: (image, walks) => {
      pixels?.set(image);
      walks.forEach((walk, row) => rows.put(row, { walk }));
      run(() => exports.prefill(0, shapes.context));
    },
    walk: rows.walk,
    logits: (row, count) => {
      run(() => exports.head(row, count));
      return logitRows.slice(0, count);
    },
    probes: rowsOf(abi.probes),
    kvProbes: rowsOf(abi.kvProbes),
  };
}

function checkExports(exports: WebAssembly.Exports, { memory: { bytes }, shapes }: ProgramInfo, file: string): Exports {
  const { memory, reset, prefill, decode, head, step, forget } = exports as Partial<Record<string, unknown>>;
  if (!(memory instanceof WebAssembly.Memory)) return mismatch(file, 'does not export its memory');
  if (memory.buffer.byteLength !== bytes) {
    mismatch(file, `has a memory of ${memory.buffer.byteLength} bytes, expected ${bytes}`);
  }
  const names = Object.entries({ reset, prefill, decode, head, ...(shapes.sequences > 1 && { step, forget }) });
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
