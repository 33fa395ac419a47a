/** @file Turns the items of a text that begins with `program` into a kernel program. */
import { isKernelKind, kernelKinds, kernelSpecs } from '../kernel/table.ts';
import type {
  Body,
  BlockInstance,
  Buffer,
  BufferName,
  Formal,
  Input,
  Instance,
  Kernel,
  KernelProgram,
  KvPlan,
  MemoryPlan,
  View,
  Weight,
  WeightLayout,
} from '../kernel/types.ts';
import type { AttrSpec } from '../ops/spec.ts';
import type { BlockId, Global } from '../types.ts';
import { quote } from '../verify/op.ts';
import { headerParts, headerSpecs, readGates, readRole } from './read-network.ts';
import { readTrace } from './read-trace.ts';
import { Reader, Types } from './read.ts';
import type { Report } from './report.ts';
import { isViewNode } from './syntax.ts';
import type { ArgNode, CallNode, ItemNode, StatementNode, TypeNode, ViewNode } from './syntax.ts';

const count = { type: 'number', integer: true, min: 1 } as const;
const size = { type: 'number', integer: true, min: 0 } as const;
const address = { at: { ...size, optional: true } } as const;

const kvSpecs = {
  slots: count,
  width: count,
  lists: count,
  pages: count,
  pages_per_list: count,
  entries_per_list: count,
  bytes_per_token_static: size,
  bytes_per_token_worst: size,
  ...address,
} satisfies Record<string, AttrSpec>;

const words = [
  'program',
  'const',
  'weight',
  'buffer',
  'kv',
  'memory',
  'body',
  'entry',
  'hub',
  'gate',
  'finish',
  'block',
  'exit',
  'trace',
];

/** Throws a `RadialError` with all errors of the report. */
export function readKernelProgram(items: readonly ItemNode[], report: Report): KernelProgram {
  const reader = new Reader(report);
  for (const item of items) {
    if (!words.includes(item.word.text)) reader.unknownWord('a part of a program', item.word, words);
  }
  const of = (word: string): readonly ItemNode[] => items.filter((item) => item.word.text === word);
  const header = reader.only(items, 'program');
  const entry = reader.only(items, 'entry');
  const exit = reader.only(items, 'exit');
  if (header === undefined || entry === undefined || exit === undefined) return report.end();
  reader.isWellFormed(header, /^@\{?$/, 'program @name {task: "causal-lm", context: 128, …}');
  const attrs = reader.header('the program', header.fields, header.word.at, {
    ...headerSpecs,
    chunk: count,
    head_rows: count,
    sequences: { ...count, optional: true },
  });
  const hubItem = reader.only(items, 'hub', true);
  const hub =
    hubItem !== undefined && reader.isWellFormed(hubItem, /^=$/, 'hub = #hub(@w)')
      ? readInstance(reader, hubItem)
      : undefined;
  const beside = (word: 'gate' | 'finish'): ReadonlyMap<BlockId, Instance> =>
    readGates(reader, items, word, (item) =>
      reader.isWellFormed(item, /^\^=$/, `${word} ^0 = #${word}(@w)`) ? readInstance(reader, item) : undefined,
    );
  const besides = { gates: beside('gate'), finishes: beside('finish') };
  const traces = of('trace');
  const program = {
    stage: 'kernel' as const,
    name: header.subject?.text.slice(1) ?? '',
    ...headerParts(attrs),
    chunk: Number(attrs['chunk']),
    headRows: Number(attrs['head_rows']),
    sequences: Number(attrs['sequences'] ?? 1),
    consts: reader.consts(of('const'), new Types()),
    weights: of('weight').flatMap((item) => readWeight(reader, item)),
    buffers: of('buffer').flatMap((item) => readBuffer(reader, item)),
    kv: readKv(reader, reader.only(items, 'kv', true)),
    memory: readMemory(reader, reader.only(items, 'memory', true)),
    bodies: of('body').flatMap((item) => readBody(reader, item)),
    entry: readEntry(reader, entry),
    ...(hub !== undefined && { hub }),
    blocks: of('block').flatMap((item) => readBlock(reader, item, besides)),
    exit: reader.isWellFormed(exit, /^=$/, 'exit = #exit(@gain)') ? readInstance(reader, exit) : undefined,
    ...(traces.length > 0 && { traces: traces.flatMap((item) => readTrace(reader, item)) }),
    span: report.span(header.word.at),
  };
  report.finish();
  if (program.entry === undefined || program.exit === undefined) return report.end();
  return { ...program, entry: program.entry, exit: program.exit };
}

function readAddress(reader: Reader, item: ItemNode, fields: ItemNode['fields']): number | null {
  const attrs = reader.header(quote(item.subject?.text ?? item.word.text), fields, item.word.at, address);
  return typeof attrs['at'] === 'number' ? attrs['at'] : null;
}

function readLayout(reader: Reader, type: TypeNode): WeightLayout {
  if (type.word === 'rows' || type.word === 'panels') return type.word;
  reader.unknownWord('a weight layout', { text: type.word, at: type.at }, ['rows', 'panels']);
  return 'rows';
}

function readWeight(reader: Reader, item: ItemNode): readonly Weight[] {
  const { subject, type } = item;
  if (
    !reader.isWellFormed(item, /^@:\{?$/, 'weight @w : panels[192, 64] {at: 0}') ||
    subject === null ||
    type === null
  ) {
    return [];
  }
  return [
    {
      name: subject.text as Global,
      shape: reader.dims(type, []),
      layout: readLayout(reader, type),
      at: readAddress(reader, item, item.fields),
      span: reader.report.span(item.word.at),
    },
  ];
}

function readBuffer(reader: Reader, item: ItemNode): readonly Buffer[] {
  const { subject, type, call } = item;
  const example = 'buffer $x : f32[chunk, 64] = state {at: 0}';
  if (!reader.isWellFormed(item, /^\$:=$/, example) || subject === null || type === null || call === null) return [];
  const [rows, columns, ...more] = reader.dims(type, ['chunk', 'head']);
  const scope = call.callee.text;
  if (scope !== 'state' && scope !== 'scratch') {
    reader.unknownWord('the scope of a buffer', call.callee, ['state', 'scratch']);
  }
  if (rows === undefined || typeof columns !== 'number' || more.length > 0 || call.args.length > 0) {
    reader.report.add(
      {
        code: 'RC0403',
        message: `the buffer ${quote(subject.text)} has no rows and columns, or something more`,
        help: `it is written \`${example}\``,
      },
      item.word.at,
    );
    return [];
  }
  return [
    {
      name: subject.text as BufferName,
      dtype: reader.dtype(type),
      rows,
      columns,
      scope: scope === 'state' ? 'state' : 'scratch',
      at: readAddress(reader, item, call.fields),
      span: reader.report.span(item.word.at),
    },
  ];
}

function readKv(reader: Reader, item: ItemNode | undefined): KvPlan | null {
  if (item === undefined || !reader.isWellFormed(item, /^\{$/, 'kv {slots: 16, …}')) return null;
  const attrs = reader.header('kv', item.fields, item.word.at, kvSpecs);
  return {
    slots: Number(attrs['slots']),
    width: Number(attrs['width']),
    lists: Number(attrs['lists']),
    pages: Number(attrs['pages']),
    pagesPerList: Number(attrs['pages_per_list']),
    entriesPerList: Number(attrs['entries_per_list']),
    bytesPerTokenStatic: Number(attrs['bytes_per_token_static']),
    bytesPerTokenWorst: Number(attrs['bytes_per_token_worst']),
    at: typeof attrs['at'] === 'number' ? attrs['at'] : null,
  };
}

function readMemory(reader: Reader, item: ItemNode | undefined): MemoryPlan | null {
  if (
    item === undefined ||
    !reader.isWellFormed(item, /^\{$/, 'memory {weights_at: 1024, weights_bytes: 65536, total: 131072}')
  ) {
    return null;
  }
  const attrs = reader.header('memory', item.fields, item.word.at, {
    weights_at: size,
    weights_bytes: size,
    total: size,
  });
  return {
    weightsAt: Number(attrs['weights_at']),
    weightsBytes: Number(attrs['weights_bytes']),
    total: Number(attrs['total']),
  };
}

function readBody(reader: Reader, item: ItemNode): readonly Body[] {
  const { subject, code } = item;
  const example = 'body #mlp(@w: panels[64, 64]) { … }';
  if (!reader.isWellFormed(item, /^#\(\+?$/, example) || subject === null || code === null) return [];
  const formals = code.params.map(({ name, type }): Formal => {
    if (name.text.startsWith('%')) {
      reader.report.add({ code: 'RC0403', message: 'a body takes weights (@w), not values' }, name.at);
    }
    return { name: name.text as Global, shape: reader.dims(type, []), layout: readLayout(reader, type) };
  });
  return [
    {
      name: subject.text.slice(1),
      formals,
      kernels: code.statements.flatMap((statement) => readKernel(reader, statement)),
      fill: (code.second?.statements ?? []).flatMap((statement) => readKernel(reader, statement)),
      span: reader.report.span(item.word.at),
    },
  ];
}

function readKernel(reader: Reader, statement: StatementNode): readonly Kernel[] {
  const { report } = reader;
  if (
    statement.kind === 'word' ||
    (statement.target !== null && !isViewNode(statement.target)) ||
    statement.type !== null
  ) {
    report.add(
      { code: 'RC0403', message: 'this is not a kernel', help: 'it is written `$y[0..64] = kernel($x[0..64], @w)`' },
      statement.at,
    );
    return [];
  }
  const { target, call, at } = statement;
  const attrs = reader.attrs(call.fields);
  const kind = call.callee.text;
  if (!isKernelKind(kind)) {
    reader.unknownWord('a kernel', call.callee, kernelKinds);
    return [];
  }
  const out = target === null ? null : readView(reader, target);
  return [
    {
      kind,
      out,
      inputs: readInputs(reader, call, Object.entries(kernelSpecs[kind].inputs)),
      attrs,
      span: report.span(at),
    },
  ];
}

function readInputs(
  reader: Reader,
  call: CallNode,
  specs: readonly (readonly [string, { readonly optional?: boolean }])[],
): Readonly<Record<string, Input>> {
  const required = specs.filter(([, spec]) => spec.optional !== true).map(([name]) => name);
  const found = new Map<string, Input>();
  let position = 0;
  for (const { label, value, at } of call.args) {
    const name = label ?? required[position++];
    if (name === undefined) {
      reader.report.add(
        { code: 'RC0403', message: `${call.callee.text} has more than ${required.length} inputs without labels` },
        at,
      );
    } else if (found.has(name)) {
      reader.report.add({ code: 'RC0409', message: `the input ${quote(name)} is given twice` }, at);
    } else found.set(name, readInput(reader, value, at));
  }
  const order = specs.map(([name]) => name);
  const place = (name: string): number => (order.includes(name) ? order.indexOf(name) : order.length);
  return Object.fromEntries([...found].sort(([a], [b]) => place(a) - place(b)));
}

function readInput(reader: Reader, value: ArgNode['value'], at: number): Input {
  if (isViewNode(value)) return readView(reader, value);
  if (value.text.startsWith('%')) {
    reader.report.add({ code: 'RC0403', message: `a kernel takes buffers and weights, not ${quote(value.text)}` }, at);
  }
  return { weight: value.text as Global };
}

function readView(reader: Reader, { buffer, word, from, to, at }: ViewNode): View {
  if (word !== null && word !== 'routed') reader.unknownWord('a kind of view', { text: word, at }, ['routed']);
  if (!Number.isSafeInteger(from) || !Number.isSafeInteger(to)) {
    reader.report.add({ code: 'RC0405', message: `the columns of ${quote(buffer)} are not whole numbers` }, at);
  }
  return { buffer: buffer as BufferName, from, columns: to - from, routed: word === 'routed' };
}

function readInstance(reader: Reader, item: ItemNode): Instance | undefined {
  const { call } = item;
  if (call === null) return undefined;
  if (!call.callee.text.startsWith('#') || call.fields.length > 0) {
    reader.report.add(
      { code: 'RC0403', message: 'here a body is used', help: 'it is written `#body(@w1, @w2)`' },
      call.callee.at,
    );
  }
  const args = call.args.map(({ label, value, at }): Global => {
    if (label === null && !isViewNode(value) && value.text.startsWith('@')) return value.text as Global;
    reader.report.add({ code: 'RC0403', message: 'a body is given only weights, without labels' }, at);
    return '@';
  });
  return { body: call.callee.text.slice(1), args, span: reader.report.span(item.word.at) };
}

function readEntry(reader: Reader, item: ItemNode): KernelProgram['entry'] | undefined {
  if (!reader.isWellFormed(item, /^=>$/, 'entry = #entry(@embed) -> ^0') || item.edge === null) return undefined;
  const instance = readInstance(reader, item);
  return instance === undefined ? undefined : { ...instance, edge: reader.edge(item.edge) };
}

/** What stands beside blocks. */
interface Besides {
  readonly gates: ReadonlyMap<BlockId, Instance>;
  readonly finishes: ReadonlyMap<BlockId, Instance>;
}

function readBlock(reader: Reader, item: ItemNode, { gates, finishes }: Besides): readonly BlockInstance[] {
  const { subject, role, edge } = item;
  const example = 'block ^0 attention {list: 0} = #attention(@w) -> ^1';
  if (!reader.isWellFormed(item, /^\^r\{?=>$/, example) || subject === null || role === null || edge === null) {
    return [];
  }
  const instance = readInstance(reader, item);
  const attrs = reader.header(`block ${quote(subject.text)}`, item.fields, item.word.at, {
    list: { ...size, optional: true },
    scores: { ...size, optional: true },
  });
  if (instance === undefined) return [];
  const list = typeof attrs['list'] === 'number' ? attrs['list'] : null;
  const id = reader.blockId(subject);
  const [gate, finish, scores] = [gates.get(id), finishes.get(id), attrs['scores']];
  return [
    {
      ...instance,
      id,
      role: readRole(reader, role),
      list,
      ...(gate !== undefined && { gate }),
      ...(finish !== undefined && { finish }),
      ...(typeof scores === 'number' && { scores }),
      edge: reader.edge(edge),
    },
  ];
}
