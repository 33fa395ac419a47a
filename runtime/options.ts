/** @file Checks what callers pass: option names with a suggestion, values with their range, ids, pixels. */
import type { Ids } from './api.ts';
import { fail } from './artifact/errors.ts';
import type { ErrorPlace } from './artifact/errors.ts';
import { asksOracle } from './artifact/manifest.ts';
import type { ImageInfo, RoutingInfo } from './artifact/manifest.ts';

/** Ends with RC0901 when there is an option of another name, with RC0902 when it is no options object. */
export function checkNames(options: unknown, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    fail('RC0902', `the options are ${show(options)}, expected an object`, { help: `options are ${known.join(', ')}` });
  }
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  const near = known.find((name) => distance(name.toLowerCase(), unknown.toLowerCase()) <= 2 + unknown.length / 8);
  const snake = unknown.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
  const suggestion = known.includes(snake) ? snake : near;
  const help = suggestion === undefined ? `options are ${known.join(', ')}` : `did you mean "${suggestion}"?`;
  fail('RC0901', `there is no option "${unknown}"`, { help });
}

interface Range {
  readonly min: number;
  readonly max: number;
  readonly integer?: boolean;
}

/** The number, or undefined when the option is not given. */
export function numberOption(name: string, value: unknown, { min, max, integer = false }: Range): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'number' && value >= min && value <= max && (!integer || Number.isInteger(value))) return value;
  const bounds = max === Number.MAX_SAFE_INTEGER || max === Infinity ? `from ${min}` : `from ${min} to ${max}`;
  return refuse(name, value, `a ${integer ? 'whole ' : ''}number ${bounds}`);
}

/**
 * How sure gates must be; the ratio that an oracle wants, from 0.
 * @throws RadialError RC0902 (not from 0 to 1), RC0926 (the program has no gates)
 */
export function thresholdOption(value: unknown, routing: RoutingInfo): number | undefined {
  const isRatio = asksOracle(routing);
  const threshold = numberOption('threshold', value, { min: 0, max: isRatio ? Infinity : 1 });
  if (threshold === undefined || isRatio || routing.blocks.some(({ gated }) => gated)) return threshold;
  return fail('RC0926', 'a threshold was given, but this program has no gates', {
    help: 'leave it out; gates come with models that `radialc train` has trained',
  });
}

export function booleanOption(name: string, value: unknown): boolean {
  if (value === undefined) return false;
  return typeof value === 'boolean' ? value : refuse(name, value, 'true or false');
}

export function functionOption(name: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'function') refuse(name, value, 'a function');
}

export function signalOption(value: unknown): void {
  if (value !== undefined && !(value instanceof AbortSignal)) refuse('signal', value, 'an AbortSignal');
}

/** Strings of at least one character. */
export function stringsOption(name: string, value: unknown): readonly string[] {
  const list: readonly unknown[] = value === undefined ? [] : Array.isArray(value) ? value : [value];
  // Here and below not `map`, which would leave out holes.
  return Array.from(list, (item) => {
    return typeof item === 'string' && item !== '' ? item : refuse(name, item, 'strings of at least one character');
  });
}

/** Reads a value for each of `prompts` prompts: one for all of them, or a list. Without `prompts` only the former. */
export function perPrompt<T>(
  name: string,
  value: unknown,
  { prompts, read }: { readonly prompts: number | undefined; readonly read: (value: unknown) => T },
): (prompt: number) => T {
  if (prompts === undefined || !Array.isArray(value)) {
    const one = read(value);
    return () => one;
  }
  if (value.length !== prompts) {
    fail('RC0902', `${name} has ${value.length} items, there are ${prompts} prompts`, {
      place: { subject: `option "${name}"` },
      help: 'give one number, or a list with one for each prompt',
    });
  }
  const list = Array.from<unknown, T>(value, read);
  return (prompt) => list[prompt] ?? read(undefined);
}

/** Prompts, each not yet checked. @throws RadialError RC0907 */
export function checkPrompts(prompts: unknown): readonly unknown[] {
  if (Array.isArray(prompts)) return Array.from<unknown>(prompts);
  return fail('RC0907', `the prompts are ${show(prompts)}, expected an array`, {
    help: 'generateMany takes an array of texts or of arrays of ids; generate takes one of them',
  });
}

/** Positions below `length`, ascending; all when not given. */
export function positionsOption(value: unknown, length: number): readonly number[] {
  if (value === undefined) return Array.from({ length }, (_, position) => position);
  if (!Array.isArray(value)) return refuse('positions', value, 'an array');
  let last = -1;
  return Array.from<unknown, number>(value, (position) => {
    const valid = typeof position === 'number' && Number.isInteger(position) && position > last && position < length;
    if (!valid) return refuse('positions', position, `positions from 0 to ${length - 1} in ascending order`);
    last = position;
    return position;
  });
}

/** @throws RadialError RC0907 */
export function checkText(text: unknown): void {
  if (typeof text !== 'string') {
    fail('RC0907', `the input is ${show(text)}, expected a text`, { help: 'give a string' });
  }
}

/** Ids in [0, vocab); `place` is told in messages. */
export function checkIds(ids: unknown, vocab: number, place?: ErrorPlace): readonly number[] {
  const at = place === undefined ? {} : { place };
  const list = ids instanceof Int32Array || ids instanceof Uint32Array ? Array.from(ids) : ids;
  if (!Array.isArray(list)) {
    return fail('RC0907', `the input is ${show(ids)}, expected an array of token ids`, {
      ...at,
      help: 'forward and decode take ids, generate takes a text or ids',
    });
  }
  if (list.length === 0) fail('RC0903', 'the prompt is empty', { ...at, help: 'give at least one token' });
  return Array.from<unknown, number>(list, (id, index) => {
    if (typeof id === 'number' && Number.isInteger(id) && id >= 0 && id < vocab) return id;
    return fail('RC0904', `token ${index} has the id ${show(id)}`, {
      ...at,
      help: `ids are whole numbers from 0 to ${vocab - 1}`,
    });
  });
}

/** Whether the input is of ids, as opposed to an image. */
export function isIds(input: unknown): input is Ids {
  return Array.isArray(input) || input instanceof Int32Array || input instanceof Uint32Array;
}

/** The image, flat, channel by channel. */
export function checkPixels(pixels: unknown, { channels, height, width }: ImageInfo): Float32Array {
  const shape = `${channels} × ${height} × ${width}`;
  const list: unknown = pixels instanceof Float32Array ? Array.from(pixels) : pixels;
  if (!Array.isArray(list)) {
    return fail('RC0906', `the pixels are ${show(pixels)}, expected ${shape} numbers`, pixelHelp);
  }
  const nested = list.length > 0 && Array.isArray(list[0]);
  const flat: readonly unknown[] = nested ? flatten(list, [channels, height, width], 'pixelValues') : list;
  if (flat.length !== channels * height * width) {
    fail('RC0906', `the image has ${flat.length} numbers, the program takes ${shape}`, pixelHelp);
  }
  const result = new Float32Array(flat.length);
  for (let i = 0; i < flat.length; i++) {
    const value = flat[i];
    if (typeof value !== 'number' || !Number.isFinite(Math.fround(value))) {
      fail('RC0906', `pixel ${i} is ${show(value)}, expected a finite number`, pixelHelp);
    }
    result[i] = value;
  }
  return result;
}

const pixelHelp = { help: 'images are [channel][row][column] of finite numbers, or the same numbers in one list' };

function flatten(value: unknown, shape: readonly number[], path: string): readonly unknown[] {
  const [size, ...rest] = shape;
  if (size === undefined) return [value];
  if (!Array.isArray(value) || value.length !== size) {
    const found = Array.isArray(value) ? `${value.length} items` : show(value);
    fail('RC0906', `${path} has ${found}, expected ${size}`, pixelHelp);
  }
  return value.flatMap((item: unknown, i) => flatten(item, rest, `${path}[${i}]`));
}

function refuse(name: string, value: unknown, expected: string): never {
  return fail('RC0902', `${name} is ${show(value)}, expected ${expected}`, {
    place: { subject: `option "${name}"` },
    help: `give ${expected}`,
  });
}

/** A value as a message shows it. */
function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object' && value !== null) return 'an object';
  return typeof value === 'function' ? 'a function' : String(value);
}

/** Edit distance. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(change, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
