/** @file Functions of bodies, shared by all blocks of their shape, and of blocks: a body with its weights and KV list. */
import { kernelKinds } from '../../../ir/index.ts';
import type { KernelKind } from '../../../ir/index.ts';
import type { Body, Instance, Kernel } from '../../../ir/index.ts';
import type { FunctionBuilder, Local } from '../asm/function.ts';
import type { ModuleBuilder } from '../asm/module.ts';
import { i32 } from '../asm/values.ts';
import type { I32 } from '../asm/values.ts';
import { emitters } from '../kernels/table.ts';
import { FLOAT_BYTES, viewShape } from '../plan/layout.ts';
import type { Layout } from '../plan/layout.ts';

/** What the functions of a program are made with. */
export interface Target {
  readonly module: ModuleBuilder;
  readonly layout: Layout;
  /** Address of `$counters`; null in programs that do not count. */
  readonly counters: number | null;
}

/** `kernels`: what an executing token does; `fill`: what a token does that passes the block over. */
export type Part = 'kernels' | 'fill';

/** Stands for the KV list where there is none. */
const NO_LIST = -1;

/** Calls the body of an instance for a row list. */
export function callBody(
  target: Target,
  code: FunctionBuilder,
  instance: Instance,
  { part = 'kernels', list, rows, kv = NO_LIST }: { part?: Part; list: I32; rows: I32; kv?: I32 },
): void {
  const body = bodyOf(target, instance);
  const name = `${part === 'fill' ? 'fill' : 'body'} ${body.name}`;
  const params = ['i32' as const, 'i32' as const, 'i32' as const, ...body.formals.map(() => 'i32' as const)];
  target.module.define(name, { params }, (f, [listParam, rowsParam, kvParam, ...weights]) => {
    if (listParam === undefined || rowsParam === undefined || kvParam === undefined) return;
    const addresses = new Map(body.formals.map((formal, i) => [formal.name as string, weights[i]]));
    for (const kernel of body[part]) {
      emitKernel(target, f, body, kernel, { list: listParam, rows: rowsParam, kv: kvParam, addresses });
    }
  });
  code.call(name, [list, rows, kv, ...instance.args.map((arg) => target.layout.weight(arg))]);
}

export function bodyOf({ layout }: Target, { body: name }: Instance): Body {
  const body = layout.program.bodies.find((candidate) => candidate.name === name);
  if (body === undefined) throw new Error(`internal: no body ${name}`);
  return body;
}

interface BodyParams {
  readonly list: Local<'i32'>;
  readonly rows: Local<'i32'>;
  readonly kv: Local<'i32'>;
  readonly addresses: ReadonlyMap<string, Local<'i32'> | undefined>;
}

function emitKernel(target: Target, code: FunctionBuilder, body: Body, kernel: Kernel, params: BodyParams): void {
  const { module, layout } = target;
  const rows = fixedRows(layout, kernel) ?? params.rows;
  count(target, code, kernel.kind, rows);
  emitters[kernel.kind]({
    module,
    layout,
    code,
    body,
    kernel,
    list: params.list,
    rows,
    kv: params.kv,
    weight: (name) => {
      const address = params.addresses.get(name);
      if (address === undefined) throw new Error(`internal: ${body.name} has no parameter ${name}`);
      return address;
    },
  });
}

/** Rows of a result that has the same number of rows however many tokens there are. */
function fixedRows(layout: Layout, { out }: Kernel): number | null {
  return out === null || out.routed ? null : viewShape(layout, out).fixedRows;
}

function count({ counters }: Target, code: FunctionBuilder, kind: KernelKind, rows: I32): void {
  if (counters === null) return;
  const at = counters + kernelKinds.indexOf(kind) * 2 * FLOAT_BYTES;
  code.storeI32(at, i32.add(i32.load(at), 1));
  code.storeI32(at, i32.add(i32.load(at, FLOAT_BYTES), rows), FLOAT_BYTES);
}
