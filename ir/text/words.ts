/** @file How names, strings, numbers, types and lists look in print; whatever they hold, it stays inside its own token. */
import type { Attr, Attrs, Edge, Successor, TensorType } from '../types.ts';

/** A name with its sigil: `@w`; quoted (`@"odd name"`) unless letters, digits and `_ . - / $` suffice. */
export function printName(name: string): string {
  const rest = name.slice(1);
  return /^[A-Za-z0-9_][A-Za-z0-9_.\-/$]*$/.test(rest) ? name : name.charAt(0) + printString(rest);
}

/** A JSON string in which all but printable ASCII is escaped, so that it looks alike everywhere. */
function printString(text: string): string {
  return JSON.stringify(text).replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** The shortest text that reads back as the same double. NaN and Infinity print as words that the parser refuses. */
export function printNumber(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value);
}

function printAttr(value: Attr): string {
  switch (typeof value) {
    case 'number':
      return printNumber(value);
    case 'string':
      return printString(value);
    case 'boolean':
      return String(value);
    default:
      return `[${value.map(printNumber).join(', ')}]`;
  }
}

/** ` {axis: 0, to: 64}`, or nothing when there are none. */
export function printAttrs(attrs: Attrs): string {
  const fields = Object.entries(attrs).map(([key, value]) => `${printKey(key)}: ${printAttr(value)}`);
  return fields.length === 0 ? '' : ` {${fields.join(', ')}}`;
}

function printKey(key: string): string {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(key) ? key : printString(key);
}

/** `f32[tokens, 64]` */
export function printType({ dtype, shape }: TensorType): string {
  return `${dtype}[${shape.map((dim) => (dim === 'tokens' ? dim : printNumber(dim))).join(', ')}]`;
}

/** `(%x, @w, bias: @b)`, or nothing when there are none. */
export function printArguments(
  positional: readonly string[],
  labelled: readonly (readonly [string, string])[],
): string {
  const all = [...positional, ...labelled.map(([label, value]) => `${label}: ${value}`)];
  return all.length === 0 ? '' : `(${all.join(', ')})`;
}

/** ` -> ^1`, ` -> external [^1, ^3..^7, exit]` */
export function printEdge({ router, successors }: Edge): string {
  const [only] = successors;
  if (router === null && successors.length === 1 && only !== undefined) return ` -> ${printSuccessor(only)}`;
  return ` -> ${router === null ? '' : `${router.kind} `}[${runs(successors).map(printRun).join(', ')}]`;
}

function printSuccessor(successor: Successor): string {
  return successor === 'exit' ? 'exit' : `^${successor}`;
}

function printRun(run: readonly Successor[]): string {
  const [first, last] = [run[0] ?? 'exit', run.at(-1) ?? 'exit'];
  return run.length < 3 ? run.map(printSuccessor).join(', ') : `${printSuccessor(first)}..${printSuccessor(last)}`;
}

/** Cuts a list into pieces in which each block is followed by its number's next. */
function runs(successors: readonly Successor[]): readonly (readonly Successor[])[] {
  const pieces: Successor[][] = [];
  for (const successor of successors) {
    const piece = pieces.at(-1);
    const last = piece?.at(-1);
    if (piece !== undefined && typeof last === 'number' && successor === last + 1) piece.push(successor);
    else pieces.push([successor]);
  }
  return pieces;
}
