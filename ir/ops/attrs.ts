/** @file Typed reads of attributes. The verifier has checked that they are there and of this type. */
import type { Attrs } from '../tensor-type.ts';

export function numberAttr(attrs: Attrs, name: string): number {
  const value = attrs[name];
  if (typeof value !== 'number') throw new Error(`internal: attribute ${name} is not a number`);
  return value;
}

export function numbersAttr(attrs: Attrs, name: string): readonly number[] {
  const value = attrs[name];
  if (typeof value !== 'object') throw new Error(`internal: attribute ${name} is not a list of numbers`);
  return value;
}

export function stringAttr(attrs: Attrs, name: string): string {
  const value = attrs[name];
  if (typeof value !== 'string') throw new Error(`internal: attribute ${name} is not a string`);
  return value;
}

export function booleanAttr(attrs: Attrs, name: string): boolean {
  const value = attrs[name];
  if (typeof value !== 'boolean') throw new Error(`internal: attribute ${name} is not a boolean`);
  return value;
}
