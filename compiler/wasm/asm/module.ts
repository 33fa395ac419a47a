/** @file A module under construction: functions by name, each defined once. */
import type binaryen from 'binaryen';
import { FunctionBuilder, localAt } from './function.ts';
import type { Local, TypeCodes } from './function.ts';
import { expr, f32x4 } from './values.ts';
import type { Module, Ref, V128, ValueType } from './values.ts';

const PAGE_BYTES = 65_536;
const MOST_PAGES = 65_536;

/**
 * How a · b + c is computed: `separate` rounds the product and the sum, `fused` (relaxed SIMD) only the sum where the
 * machine can.
 */
export type Arithmetic = 'separate' | 'fused';

/** Part of binaryen.js that its declarations lack. */
interface TernarySetter {
  readonly SIMDTernary: { setOp(node: Ref, operation: binaryen.Operations): void };
}

export interface Signature<P extends readonly ValueType[]> {
  readonly params: P;
  readonly result?: ValueType;
}

export type Params<P extends readonly ValueType[]> = { readonly [I in keyof P]: Local<P[I]> };

export class ModuleBuilder {
  readonly #binaryen: typeof binaryen;
  readonly #m: Module;
  readonly #types: TypeCodes;
  readonly #arithmetic: Arithmetic;
  /** Signatures of the functions. */
  readonly #defined = new Map<string, string>();

  constructor(library: typeof binaryen, arithmetic: Arithmetic = 'separate') {
    this.#binaryen = library;
    this.#arithmetic = arithmetic;
    this.#m = new library.Module();
    this.#types = { i32: library.i32, f32: library.f32, v128: library.v128 };
    const { Features } = library;
    this.#m.setFeatures(
      Features.MutableGlobals |
        Features.NontrappingFPToInt |
        Features.SIMD128 |
        Features.BulkMemory |
        Features.BulkMemoryOpt |
        Features.SignExt |
        (arithmetic === 'fused' ? Features.RelaxedSIMD : Features.MVP),
    );
  }

  /** The exported memory: it has this size from the start and keeps it. */
  memory(bytes: number): void {
    this.#m.setMemory(bytes / PAGE_BYTES, bytes / PAGE_BYTES, 'memory');
  }

  /** A memory of somebody else; it must have a maximum. */
  importMemory(from: string, name: string): void {
    this.#m.setMemory(0, MOST_PAGES);
    this.#m.addMemoryImport('0', from, name);
  }

  /** a · b + c */
  multiplyAdd(a: V128, b: V128, c: V128): V128 {
    if (this.#arithmetic === 'separate') return f32x4.add(f32x4.mul(a, b), c);
    const { RelaxedMaddVecF32x4 } = this.#binaryen;
    const { SIMDTernary } = this.#binaryen as unknown as TernarySetter;
    return expr('v128', (m) => {
      // binaryen.js cannot make this instruction, but it can change another one's operation.
      const node = m.v128.bitselect(a.make(m), b.make(m), c.make(m));
      SIMDTernary.setOp(node, RelaxedMaddVecF32x4);
      return node;
    });
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
