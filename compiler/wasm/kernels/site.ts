/** @file Where a body calls a kernel: what the emitters of the kernel table work with. */
import type { Body, Kernel } from '../../../ir/index.ts';
import type { FunctionBuilder } from '../asm/function.ts';
import type { ModuleBuilder } from '../asm/module.ts';
import type { I32 } from '../asm/values.ts';
import { operandShape, viewAddress, viewShape } from '../plan/layout.ts';
import type { Layout, OperandShape, ViewShape, WeightShape } from '../plan/layout.ts';

/** One call of a kernel in the code of a body. */
export interface Site {
  readonly module: ModuleBuilder;
  readonly layout: Layout;
  /** The body's code, to which the call is added. */
  readonly code: FunctionBuilder;
  readonly body: Body;
  readonly kernel: Kernel;
  /** Address of the row list. */
  readonly list: I32;
  /** Rows that the kernel computes. */
  readonly rows: I32;
  /** Index of the block's KV list; -1 outside attention blocks. */
  readonly kv: I32;
  /** Address of a formal weight. */
  readonly weight: (name: string) => I32;
}

/** An operand in a body: how kernels see it, and its address. */
export interface Operand<S extends OperandShape = OperandShape> {
  readonly shape: S;
  readonly address: I32;
}

export function operandOf(site: Site, name: string): Operand | undefined {
  const input = site.kernel.inputs[name];
  if (input === undefined) return undefined;
  const shape = operandShape(site.layout, site.body, input);
  return { shape, address: 'buffer' in input ? viewAddress(site.layout, input) : site.weight(input.weight) };
}

export function viewOf(site: Site, name: string): Operand<ViewShape> {
  const operand = optionalView(site, name);
  if (operand === undefined) throw new Error(`internal: ${site.kernel.kind} needs a view ${name}`);
  return operand;
}

export function optionalView(site: Site, name: string): Operand<ViewShape> | undefined {
  const operand = operandOf(site, name);
  return operand?.shape.kind === 'view' ? { shape: operand.shape, address: operand.address } : undefined;
}

export function weightOf(site: Site, name: string): Operand<WeightShape> {
  const operand = optionalWeight(site, name);
  if (operand === undefined) throw new Error(`internal: ${site.kernel.kind} needs a weight ${name}`);
  return operand;
}

export function optionalWeight(site: Site, name: string): Operand<WeightShape> | undefined {
  const operand = operandOf(site, name);
  return operand?.shape.kind === 'weight' ? { shape: operand.shape, address: operand.address } : undefined;
}

export function outOf({ layout, kernel }: Site): Operand<ViewShape> {
  if (kernel.out === null) throw new Error(`internal: ${kernel.kind} has no result`);
  return { shape: viewShape(layout, kernel.out), address: viewAddress(layout, kernel.out) };
}

export function numberOf({ kernel }: Site, attr: string): number {
  const value = kernel.attrs[attr];
  if (typeof value !== 'number') throw new Error(`internal: ${kernel.kind} needs a number ${attr}`);
  return value;
}

export function textOf({ kernel }: Site, attr: string): string | undefined {
  const value = kernel.attrs[attr];
  return typeof value === 'string' ? value : undefined;
}
