/** @file Where everything of a planned program lies, and how kernels see their operands. Pure. */
import { strideOf } from '../../../ir/index.ts';
import type { Body, Buffer, Input, KernelProgram, KvPlan, View, WeightLayout } from '../../../ir/index.ts';

export const FLOAT_BYTES = 4;

export interface PlacedBuffer extends Buffer {
  readonly at: number;
}

/** A KV plan with its address and the sizes that code needs, in bytes. */
export interface PlacedKv extends KvPlan {
  readonly at: number;
  readonly pageBytes: number;
}

export interface Layout {
  readonly program: KernelProgram;
  /** Throws for an unknown buffer: the kernel verifier has been there before. */
  readonly buffer: (name: string) => PlacedBuffer;
  /** Byte address of a weight. */
  readonly weight: (name: string) => number;
  readonly kv: PlacedKv | null;
  readonly memoryBytes: number;
}

/** What a kernel function knows of a view: everything but its address. */
export interface ViewShape {
  readonly kind: 'view';
  /** Row stride in bytes. */
  readonly stride: number;
  readonly columns: number;
  readonly routed: boolean;
  /** Rows that the buffer holds whatever the number of tokens; null when it has a row for each. */
  readonly fixedRows: number | null;
}

/** What a kernel function knows of a weight. */
export interface WeightShape {
  readonly kind: 'weight';
  readonly shape: readonly number[];
  readonly layout: WeightLayout;
}

export type OperandShape = ViewShape | WeightShape;

export function layoutOf(program: KernelProgram): Layout {
  const { memory, kv } = program;
  if (memory === null) throw new Error('internal: the program has no memory plan');
  const buffers = new Map(program.buffers.map((buffer) => [buffer.name as string, buffer]));
  const weights = new Map(program.weights.map((weight) => [weight.name as string, weight]));
  return {
    program,
    buffer: (name) => {
      const buffer = buffers.get(name);
      if (buffer === undefined) throw new Error(`internal: no buffer ${name}`);
      return { ...buffer, at: placed(buffer.at, name) };
    },
    weight: (name) => memory.weightsAt + placed(weights.get(name)?.at ?? null, name),
    kv:
      kv === null
        ? null
        : { ...kv, at: placed(kv.at, 'the KV pool'), pageBytes: 2 * kv.width * kv.slots * FLOAT_BYTES },
    memoryBytes: memory.total,
  };
}

function placed(at: number | null, name: string): number {
  if (at === null) throw new Error(`internal: ${name} has no address`);
  return at;
}

/** The KV plan of a program that has attention. */
export function kvOf(layout: Layout): PlacedKv {
  if (layout.kv === null) throw new Error('internal: attention without a KV plan');
  return layout.kv;
}

export function viewShape(layout: Layout, view: View): ViewShape {
  const buffer = layout.buffer(view.buffer);
  return {
    kind: 'view',
    stride: strideOf(buffer) * FLOAT_BYTES,
    columns: view.columns,
    routed: view.routed,
    fixedRows: typeof buffer.rows === 'number' ? buffer.rows : null,
  };
}

export function viewAddress(layout: Layout, view: View): number {
  return layout.buffer(view.buffer).at + view.from * FLOAT_BYTES;
}

export function operandShape(layout: Layout, body: Body, input: Input): OperandShape {
  if ('buffer' in input) return viewShape(layout, input);
  const formal = body.formals.find(({ name }) => name === input.weight);
  if (formal === undefined) throw new Error(`internal: ${body.name} has no parameter ${input.weight}`);
  return { kind: 'weight', shape: formal.shape, layout: formal.layout };
}

/**
 * The part of a function's name that tells operand shapes apart: `768/3072r` is a view of 768 columns at that stride,
 * routed; `w3072x768p` a weight in panels.
 */
export function shapeName(shape: OperandShape): string {
  if (shape.kind === 'weight') return `w${shape.shape.join('x')}${{ rows: '', panels: 'p', int8: 'i8' }[shape.layout]}`;
  const stride = shape.stride / FLOAT_BYTES;
  return `${shape.columns}${stride === shape.columns ? '' : `/${stride}`}${shape.routed ? 'r' : ''}`;
}
