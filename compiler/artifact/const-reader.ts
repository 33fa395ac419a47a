/**
 * @file Reads constants piece by piece, so that a weight is never whole in memory.
 *
 * Stored tensors, and what cuts, joins or reshapes them along rows, are read as far as asked. Everything else (a
 * transposed matrix, generated numbers) is evaluated whole, for as long as its reader lives.
 */
import { elements, fail, numberAttr, numbersAttr, stringAttr } from '../../ir/index.ts';
import type { Const, Global, WeightSource } from '../../ir/index.ts';
import { createConstants } from '../../ir/index.ts';
import { checkFinite } from '../frontend/weights/finite.ts';

/** Elements [from, to) of a constant, row by row. The result may be a view: read it, do not write it. */
export type ConstReader = (from: number, to: number) => Float32Array;

interface Surroundings {
  readonly consts: readonly Const[];
  readonly byName: ReadonlyMap<Global, Const>;
  readonly source: WeightSource;
}

/**
 * Readers of constants by name.
 * @throws RadialError RC0118 (no such tensor), RC0833 (another shape); its readers: RC0119 (a number is not finite)
 */
export function createConstReaders(consts: readonly Const[], source: WeightSource): (name: Global) => ConstReader {
  const byName = new Map(consts.map((constant) => [constant.name, constant]));
  const around = { consts, byName, source: finiteSource(source) };
  for (const constant of consts) if (constant.kind === 'tensor') checkShape(constant, source);
  return (name) => readerOf(around, name);
}

function readerOf(around: Surroundings, name: Global): ConstReader {
  const constant = constOf(around, name);
  return streamed(around, constant) ?? whole(around, constant);
}

function checkShape({ attrs, type }: Const, source: WeightSource): void {
  const name = stringAttr(attrs, 'name');
  const found = source.shape(name);
  if (found === undefined || (found.length === type.shape.length && found.every((size, i) => size === type.shape[i]))) {
    return;
  }
  fail('RC0833', `the tensor is [${found.join(', ')}], the program expects [${type.shape.join(', ')}]`, {
    place: { subject: `tensor ${JSON.stringify(name)}` },
    help: 'use the weights that the program was made for',
  });
}

/** The weights of a checkpoint check themselves; sources in memory do not. */
function finiteSource(source: WeightSource): WeightSource {
  return {
    shape: (name) => source.shape(name),
    names: () => source.names(),
    read: (name, from, to) => {
      const values = source.read(name, from, to);
      checkFinite(values, { tensor: name, offset: from });
      return values;
    },
  };
}

/** A reader that keeps nothing, where the constant's kind allows it. */
function streamed(around: Surroundings, { kind, operands, attrs, type }: Const): ConstReader | undefined {
  const [first] = operands;
  const alongRows = attrs['axis'] === 0;
  if (kind === 'tensor') {
    const name = stringAttr(attrs, 'name');
    return (from, to) => around.source.read(name, from, to);
  }
  if (kind === 'full') {
    const value = numberAttr(attrs, 'value');
    return (from, to) => new Float32Array(to - from).fill(value);
  }
  if (kind === 'values') {
    const data = Float32Array.from(numbersAttr(attrs, 'data'));
    return (from, to) => data.subarray(from, to);
  }
  if (kind === 'reshape' && first !== undefined) return readerOf(around, first);
  if (kind === 'slice' && first !== undefined && alongRows) {
    const start = numberAttr(attrs, 'from') * elements({ dtype: 'f32', shape: type.shape.slice(1) }, 0);
    const inner = readerOf(around, first);
    return (from, to) => inner(start + from, start + to);
  }
  return kind === 'concat' && alongRows ? joined(operands.map((name) => partOf(around, name))) : undefined;
}

interface Part {
  readonly read: ConstReader;
  readonly size: number;
}

function partOf(around: Surroundings, name: Global): Part {
  return { read: readerOf(around, name), size: elements(constOf(around, name).type, 0) };
}

function joined(parts: readonly Part[]): ConstReader {
  return (from, to) => {
    const result = new Float32Array(to - from);
    let start = 0;
    for (const { read, size } of parts) {
      const [first, last] = [Math.max(from, start), Math.min(to, start + size)];
      if (first < last) result.set(read(first - start, last - start), first - from);
      start += size;
    }
    return result;
  };
}

function whole({ consts, source }: Surroundings, { name }: Const): ConstReader {
  let data: Float32Array | undefined;
  return (from, to) => {
    data ??= Float32Array.from(createConstants(consts, source)(name).data);
    return data.subarray(from, to);
  };
}

function constOf({ byName }: Surroundings, name: Global): Const {
  const constant = byName.get(name);
  if (constant === undefined) throw new Error(`internal: no constant ${name}`);
  return constant;
}
