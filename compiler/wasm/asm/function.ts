/**
 * @file A function under construction: statements are appended in the order of the calls, nested ones inside the
 * callbacks of `if`, loops and `choose`.
 */
import type binaryen from 'binaryen';
import { FLOAT_BYTES, call, expr, f32x4, i32, i32Ref, valueRef } from './values.ts';
import type { Expr, F32, I32, Module, Ref, V128, Value, ValueType } from './values.ts';

export interface Local<T extends ValueType> extends Expr<T> {
  readonly index: number;
}

/** The value types as binaryen numbers them. */
export type TypeCodes = Readonly<Record<ValueType, binaryen.Type>>;

export class FunctionBuilder {
  readonly #m: Module;
  readonly #types: TypeCodes;
  readonly #params: number;
  readonly #locals: ValueType[] = [];
  readonly #constants = new Map<number, Local<'v128'>>();
  readonly #prologue: Ref[] = [];
  #statements: Ref[] = [];
  #labels = 0;

  constructor(m: Module, types: TypeCodes, params: number) {
    this.#m = m;
    this.#types = types;
    this.#params = params;
  }

  local<T extends ValueType>(type: T): Local<T> {
    const index = this.#params + this.#locals.length;
    this.#locals.push(type);
    return localAt(index, type, this.#types);
  }

  /** A new local with a first value. */
  let<T extends ValueType>(type: T, value: Value<T>): Local<T> {
    const local = this.local(type);
    this.set(local, value);
    return local;
  }

  /** Four times the number, in a local that is set once, before the body. */
  constant(value: number): Local<'v128'> {
    const known = this.#constants.get(value);
    if (known !== undefined) return known;
    const local = this.local('v128');
    this.#prologue.push(this.#m.local.set(local.index, f32x4.splat(value).make(this.#m)));
    this.#constants.set(value, local);
    return local;
  }

  set<T extends ValueType>(local: Local<T>, value: Value<T>): void {
    this.#statements.push(this.#m.local.set(local.index, valueRef(this.#m, local.type, value)));
  }

  increase(local: Local<'i32'>, by: I32): void {
    this.set<'i32'>(local, i32.add(local, by));
  }

  setGlobal(name: string, value: I32): void {
    this.#statements.push(this.#m.global.set(name, i32Ref(this.#m, value)));
  }

  global(name: string): Expr<'i32'> {
    return expr('i32', (m) => m.global.get(name, this.#types.i32));
  }

  storeI32(address: I32, value: I32, offset = 0): void {
    const m = this.#m;
    this.#statements.push(m.i32.store(offset, FLOAT_BYTES, i32Ref(m, address), i32Ref(m, value)));
  }

  storeF32(address: I32, value: F32, offset = 0): void {
    const m = this.#m;
    this.#statements.push(m.f32.store(offset, FLOAT_BYTES, i32Ref(m, address), valueRef(m, 'f32', value)));
  }

  store(address: I32, value: V128, offset = 0): void {
    const m = this.#m;
    this.#statements.push(m.v128.store(offset, FLOAT_BYTES, i32Ref(m, address), value.make(m)));
  }

  /** Stores lane 0 only. */
  storeFirst(address: I32, value: V128, offset = 0): void {
    const m = this.#m;
    this.#statements.push(m.v128.store32_lane(offset, FLOAT_BYTES, 0, i32Ref(m, address), value.make(m)));
  }

  /** Stores the first two lanes only. */
  storeHalf(address: I32, value: V128, offset = 0): void {
    const m = this.#m;
    this.#statements.push(m.v128.store64_lane(offset, FLOAT_BYTES, 0, i32Ref(m, address), value.make(m)));
  }

  copyBytes(to: I32, from: I32, bytes: I32): void {
    const m = this.#m;
    this.#statements.push(m.memory.copy(i32Ref(m, to), i32Ref(m, from), i32Ref(m, bytes)));
  }

  call(name: string, args: readonly (Expr<ValueType> | number)[]): void {
    const m = this.#m;
    this.#statements.push(
      m.call(
        name,
        args.map((arg) => valueRef(m, 'i32', arg)),
        0,
      ),
    );
  }

  /** A call for its result. */
  result<T extends ValueType>(type: T, name: string, args: readonly (Expr<ValueType> | number)[]): Expr<T> {
    return call(name, args, type, this.#types[type]);
  }

  if(condition: I32, then: () => void, otherwise?: () => void): void {
    const m = this.#m;
    const test = i32Ref(m, condition);
    const yes = this.#nested(then);
    this.#statements.push(otherwise === undefined ? m.if(test, yes) : m.if(test, yes, this.#nested(otherwise)));
  }

  /** Runs the body for local = from, from + step, … while local < to. */
  for(from: I32, to: I32, body: (local: Local<'i32'>) => void, step: I32 = 1): void {
    const local = this.let('i32', from);
    this.while(i32.lt(local, to), () => {
      body(local);
      this.increase(local, step);
    });
  }

  /** Tests at the end of each turn, after a first test before the loop. */
  while(condition: I32, body: () => void): void {
    this.if(condition, () => {
      this.repeat(condition, body);
    });
  }

  /** Runs the body once, and again as long as the condition holds. */
  repeat(condition: I32, body: () => void): void {
    const m = this.#m;
    const label = this.#label();
    const turn = this.#nested(() => {
      body();
      this.#statements.push(m.br(label, i32Ref(m, condition)));
    });
    this.#statements.push(m.loop(label, turn));
  }

  /**
   * Runs the case of this index; an index without a case does nothing. Where the condition `through` of a case holds at its
   * end, the case behind it runs, too.
   */
  choose(index: I32, cases: ReadonlyMap<number, () => void>, through: ReadonlyMap<number, I32> = new Map()): void {
    const m = this.#m;
    const end = this.#label();
    const arms = [...cases].map(([key, build]) => ({ key, build, label: this.#label() }));
    const labels = new Map(arms.map(({ key, label }) => [key, label]));
    const last = Math.max(-1, ...cases.keys());
    const targets = Array.from({ length: last + 1 }, (_, key) => labels.get(key) ?? end);
    let inner = m.switch(targets, end, i32Ref(m, index));
    for (const { key, build, label } of arms) {
      const code = this.#nested(build);
      const goesOn = through.get(key);
      const leave = goesOn === undefined ? m.br(end) : m.br(end, m.i32.eqz(i32Ref(m, goesOn)));
      inner = m.block(null, [m.block(label, [inner]), code, leave]);
    }
    this.#statements.push(m.block(end, [inner]));
  }

  return(value?: I32 | V128): void {
    const m = this.#m;
    this.#statements.push(value === undefined ? m.return() : m.return(valueRef(m, 'i32', value)));
  }

  trap(): void {
    this.#statements.push(this.#m.unreachable());
  }

  /** The finished code: types of the locals, and the body. */
  finish(): { locals: readonly binaryen.Type[]; body: Ref } {
    const body = this.#m.block(null, [...this.#prologue, ...this.#statements]);
    return { locals: this.#locals.map((type) => this.#types[type]), body };
  }

  #label(): string {
    return `l${this.#labels++}`;
  }

  #nested(build: () => void): Ref {
    const outer = this.#statements;
    this.#statements = [];
    build();
    const block = this.#m.block(null, this.#statements);
    this.#statements = outer;
    return block;
  }
}

export function localAt<T extends ValueType>(index: number, type: T, types: TypeCodes): Local<T> {
  return { type, index, make: (m) => m.local.get(index, types[type]) };
}
