/** @file How each op of the network becomes kernels. */
import {
  fail,
  formatType,
  isGlobal,
  KV_PROBE_COLUMNS,
  KV_PROBES,
  kvReports,
  numberAttr,
  PROBE_COLUMNS,
  PROBES,
  readsInt8,
  sameType,
} from '../../ir/index.ts';
import type { Attrs, Op, OpKind, View } from '../../ir/index.ts';
import { columnsOf } from './code.ts';
import type { Code } from './code.ts';

type OpLowering = (op: Op, code: Code) => void;

export const lowerings: Readonly<Record<OpKind, OpLowering>> = {
  tensor: noKernel,
  random: noKernel,
  full: noKernel,
  values: noKernel,
  rope_table: noKernel,
  transpose: noKernel,
  reshape: noKernel,
  concat,
  slice,
  relu: activation,
  gelu: activation,
  gelu_tanh: activation,
  silu: activation,
  tanh: activation,
  add: (op, code) => binary(op, code, 'add'),
  mul: (op, code) => binary(op, code, 'mul'),
  residual: (op, code) => binary(op, code, 'add', code.probability),
  scale: (op, code) => code.emit(op, 'scale', { x: code.view(op.operands[0], op.kind) }, op.attrs),
  layer_norm: (op, code) => norm(op, code, 'layer'),
  rms_norm: (op, code) => norm(op, code, 'rms'),
  linear,
  embed: (op, code) => {
    const [ids, table] = op.operands;
    const inputs = { ids: code.view(ids, op.kind), table: code.table(table, readsInt8(op), op.kind) };
    code.emit(op, 'embed', inputs, ofKernel(op.attrs));
  },
  patchify,
  prepend: (op, code) => {
    const [x, row] = op.operands;
    code.emit(op, 'prepend', { x: code.view(x, op.kind), row: code.weight(row, 'rows', op.kind) });
  },
  select: (op, code) => code.emit(op, 'select', { x: code.view(op.operands[0], op.kind) }, op.attrs),
  rope: (op, code) => {
    const [x, positions, cos, sin] = op.operands;
    const views = { x: code.view(x, op.kind), positions: code.view(positions, op.kind) };
    code.emit(
      op,
      'rope',
      { ...views, cos: code.weight(cos, 'rows', op.kind), sin: code.weight(sin, 'rows', op.kind) },
      op.attrs,
    );
  },
  attention: (op, code) => {
    const { attrs } = op;
    append(op, code);
    const shape = { heads: numberAttr(attrs, 'heads'), ...headShape(op) };
    code.emit(
      op,
      'attend',
      { q: code.view(op.operands[0], op.kind) },
      { ...shape, scale: attrs['scale'] ?? 1, causal: attrs['causal'] ?? true },
    );
  },
  probe,
};

/** To a block's columns of `$probes` or `$kv_probes`. */
function probe(op: Op, code: Code): void {
  const [x, f] = op.operands;
  const block = numberAttr(op.attrs, 'block');
  const report = kvReports.findIndex((name) => name === op.attrs['of']);
  const place: Pick<View, 'buffer' | 'from'> =
    report < 0
      ? { buffer: PROBES, from: PROBE_COLUMNS * block }
      : { buffer: KV_PROBES, from: KV_PROBE_COLUMNS * block + PROBE_COLUMNS * report };
  const out: View = { ...place, columns: PROBE_COLUMNS, routed: true };
  code.alias(op.result, out);
  code.emitInto(out, 'probe', { x: code.view(x, op.kind), f: code.view(f, op.kind) });
}

/** Writes the k and v of an attention op to the KV list. */
export function append(op: Op, code: Code): void {
  const [, k, v] = op.operands;
  code.emitInto(null, 'append', { k: code.view(k, op.kind), v: code.view(v, op.kind) }, headShape(op));
}

function headShape(op: Op): { readonly kv_heads: number; readonly head_dim: number } {
  return { kv_heads: numberAttr(op.attrs, 'kv_heads'), head_dim: columnsOf(op.type) / numberAttr(op.attrs, 'heads') };
}

function noKernel(op: Op): never {
  throw new Error(`internal: ${op.kind} in a region`);
}

function activation(op: Op, code: Code): void {
  code.emit(op, 'unary', { x: code.view(op.operands[0], op.kind) }, { function: op.kind });
}

/** Sum and product take their operands in either order, so a constant goes to the right, where it may stand. */
function binary(op: Op, code: Code, name: 'add' | 'mul', probability?: View): void {
  const [left, right] = op.operands;
  const [a, b] = left !== undefined && isGlobal(left) ? [right, left] : [left, right];
  const second = b !== undefined && isGlobal(b) ? code.weight(b, 'rows', op.kind) : code.view(b, op.kind);
  code.emit(op, 'binary', { a: code.view(a, op.kind), b: second, probability }, { function: name });
}

function norm(op: Op, code: Code, name: 'layer' | 'rms'): void {
  const [x, gain, shift] = op.operands;
  const inputs = {
    x: code.view(x, op.kind),
    gain: code.weight(gain, 'rows', op.kind),
    shift: shift === undefined ? undefined : code.weight(shift, 'rows', op.kind),
  };
  code.emit(op, 'norm', inputs, { norm: name, eps: numberAttr(op.attrs, 'eps') });
}

/** Kernels see the layout of their weight. */
function ofKernel({ weights: _, ...attrs }: Attrs): Attrs {
  return attrs;
}

function linear(op: Op, code: Code): void {
  const [x, weight] = op.operands;
  const { bias, gain, shift, mul, residual } = op.extras;
  const row = (ref: typeof bias) => (ref === undefined ? undefined : code.weight(ref, 'rows', op.kind));
  const view = (ref: typeof bias) => (ref === undefined ? undefined : code.view(ref, op.kind));
  const inputs = {
    x: code.view(x, op.kind),
    weight: code.weight(weight, readsInt8(op) ? 'int8' : 'panels', op.kind),
    bias: row(bias),
    gain: row(gain),
    shift: row(shift),
    mul: view(mul),
    residual: view(residual),
    probability: residual === undefined ? undefined : code.probability,
  };
  const attrs: Attrs = { first: code.firstColumn(op.result), ...ofKernel(op.attrs) };
  code.emit(op, 'linear', inputs, attrs);
}

function patchify(op: Op, code: Code): void {
  const [pixels] = op.operands;
  const view = code.view(pixels, op.kind);
  const [channels = 0, height = 0, width = 0] = code.type(pixels).shape.map(Number);
  code.emit(op, 'patchify', { pixels: view }, { channels, height, width, size: numberAttr(op.attrs, 'size') });
}

/** Columns are a view. Of rows, only a single one has a kernel. */
function slice(op: Op, code: Code): void {
  const [x] = op.operands;
  const [from, to] = [numberAttr(op.attrs, 'from'), numberAttr(op.attrs, 'to')];
  const view = code.view(x, op.kind);
  if (x === undefined) throw new Error('internal: slice without x');
  if (sameType(op.type, code.type(x))) {
    code.alias(op.result, view);
  } else if (numberAttr(op.attrs, 'axis') === 1) {
    code.alias(op.result, { ...view, from: view.from + from - code.firstColumn(x), columns: to - from });
  } else if (to === from + 1 && op.type.shape.length === 2) {
    code.emit(op, 'select', { x: view }, { row: from });
  } else {
    fail('RC0703', `no kernel cuts rows [${from}, ${to}) out of a computed value`);
  }
}

/** Parts side by side, each copied to its columns. */
function concat(op: Op, code: Code): void {
  if (numberAttr(op.attrs, 'axis') !== 1) {
    fail('RC0703', `no kernel joins computed values along axis 0 to ${formatType(op.type)}`);
  }
  const whole = code.scratch(op.type);
  let { from } = whole;
  for (const ref of op.operands) {
    const part = code.view(ref, op.kind);
    const out: View = { ...whole, from, columns: part.columns };
    code.emitInto(out, 'copy', { x: part });
    from += part.columns;
  }
  code.alias(op.result, whole);
}
