/** @file A module under construction: functions by name, each defined once. */
import type binaryen from 'binaryen';
import { FunctionBuilder, localAt } from './function.ts';
import type { Local, TypeCodes } from './function.ts';
import type { Module, ValueType } from './values.ts';

const PAGE_BYTES = 65_536;

export interface Signature<P extends readonly ValueType[]> {
  readonly params: P;
  readonly result?: ValueType;
}

export type Params<P extends readonly ValueType[]> = { readonly [I in keyof P]: Local<P[I]> };

export class ModuleBuilder {
  readonly #binaryen: typeof binaryen;
  readonly #m: Module;
  readonly #types: TypeCodes;
  /** Signatures of the functions. */
  readonly #defined = new Map<string, string>();

  constructor(library: typeof binaryen) {
    this.#binaryen = library;
    this.#m = new library.Module();
    this.#types = { i32: library.i32, f32: library.f32, v128: library.v128 };
    const { Features } = library;
    this.#m.setFeatures(
      Features.MutableGlobals |
        Features.NontrappingFPToInt |
        Features.SIMD128 |
        Features.BulkMemory |
        Features.BulkMemoryOpt |
        Features.SignExt,
    );
  }

  /** The exported memory: it has this size from the start and keeps it. */
  memory(bytes: number): void {
    this.#m.setMemory(bytes / PAGE_BYTES, bytes / PAGE_BYTES, 'memory');
  }

  global(name: string): void {
    this.#m.addGlobal(name, this.#types.i32, true, this.#m.i32.const(0));
  }

  /** Adds a function, unless there is one of this name already: equal names must mean equal code. */
  define<const P extends readonly ValueType[]>(
    name: string,
    { params, result }: Signature<P>,
    build: (f: FunctionBuilder, params: Params<P>) => void,
  ): void {
    const written = `(${params.join(', ')}) → ${result ?? 'nothing'}`;
    const before = this.#defined.get(name);
    if (before === written) return;
    if (before !== undefined) throw new Error(`internal: function ${name} is ${before} and ${written}`);
    this.#defined.set(name, written);
    const types = this.#types;
    const f = new FunctionBuilder(this.#m, types, params.length);
    build(f, params.map((type, index) => localAt(index, type, types)) as unknown as Params<P>);
    const { locals, body } = f.finish();
    const signature = this.#binaryen.createType(params.map((type) => types[type]));
    const resultType = result === undefined ? this.#binaryen.none : types[result];
    this.#m.addFunction(name, signature, resultType, locals, body);
  }

  export(name: string): void {
    this.#m.addFunctionExport(name, name);
  }

  /** Validates, and gives the binary. The module cannot be used any more. */
  finish(): Uint8Array {
    try {
      if (this.#m.validate() === 0) throw new Error('internal: the emitted module is not valid WebAssembly');
      this.#binaryen.setDebugInfo(false);
      return this.#m.emitBinary();
    } finally {
      this.#m.dispose();
    }
  }
}
