/** @file Turns the items of a text that begins with `network` into a network. */
import type { AttrSpec } from '../ops/spec.ts';
import type {
  Attrs,
  Block,
  BlockId,
  KvPolicy,
  Local,
  Network,
  Op,
  Param,
  Region,
  RevisitRule,
  Routing,
  Task,
  Weighting,
} from '../types.ts';
import { quote } from '../verify/op.ts';
import { Reader, Types } from './read.ts';
import type { Report } from './report.ts';
import type { CodeNode, ItemNode, NameNode, StatementNode } from './syntax.ts';

const count = { type: 'number', integer: true, min: 1 } as const;

/** The fields that the headers of all stages have. */
export const headerSpecs = {
  task: { type: 'string', oneOf: ['causal-lm', 'image-classification'] },
  context: count,
  kv: { type: 'string', oneOf: ['absent', 'project', 'latest'] },
  revisit: { type: 'string', oneOf: ['overwrite', 'append'] },
  max_hops: count,
  threshold: { type: 'number', min: 0, optional: true },
  anchors: { type: 'number', integer: true, min: 0, optional: true },
  weighting: { type: 'string', oneOf: ['none', 'probability'], optional: true },
} satisfies Record<string, AttrSpec>;

/** The checked fields of a header. */
export function headerParts(attrs: Attrs): { task: Task; context: number; routing: Routing } {
  const { threshold, anchors, weighting } = attrs;
  return {
    task: attrs['task'] as Task,
    context: Number(attrs['context']),
    routing: {
      kv: attrs['kv'] as KvPolicy,
      revisit: attrs['revisit'] as RevisitRule,
      maxHops: Number(attrs['max_hops']),
      ...(typeof threshold === 'number' && { threshold }),
      ...(typeof anchors === 'number' && { anchors }),
      ...(weighting !== undefined && { weighting: weighting as Weighting }),
    },
  };
}

const words = ['network', 'const', 'entry', 'hub', 'gate', 'block', 'exit'];

/** Throws a `RadialError` with all errors of the report. */
export function readNetwork(items: readonly ItemNode[], report: Report): Network {
  const reader = new Reader(report);
  for (const item of items) {
    if (!words.includes(item.word.text)) reader.unknownWord('a part of a network', item.word, words);
  }
  const header = reader.only(items, 'network');
  const entry = reader.only(items, 'entry');
  const exit = reader.only(items, 'exit');
  if (header === undefined || entry === undefined || exit === undefined) return report.end();
  reader.isWellFormed(header, /^@\{?$/, 'network @name {task: "causal-lm", context: 128, …}');
  const attrs = reader.header('the network', header.fields, header.word.at, headerSpecs);
  const types = new Types();
  const consts = reader.consts(
    items.filter((item) => item.word.text === 'const'),
    types,
  );
  const entryRegion = readRegion(reader, entry, types, /^\(>$/, 'entry(%ids: i32[tokens]) { … } -> ^0');
  const edge = entry.edge === null ? undefined : reader.edge(entry.edge);
  const hubItem = reader.only(items, 'hub', true);
  const hub =
    hubItem && readRegion(reader, hubItem, types, /^\($/, 'hub(%x: f32[tokens, 64], %hops: i32[tokens]) { … }');
  const gates = readGates(reader, items, 'gate', (item) =>
    readRegion(reader, item, types, /^\^\($/, 'gate ^0(%x: f32[tokens, 64]) { … }'),
  );
  const blocks = items
    .filter((item) => item.word.text === 'block')
    .map((item) => readBlock(reader, item, types, gates));
  const exitRegion = readRegion(reader, exit, types, /^\($/, 'exit(%x: f32[tokens, 64]) { … }');
  report.finish();
  if (entryRegion === undefined || edge === undefined || exitRegion === undefined) return report.end();
  return {
    stage: 'network',
    name: header.subject?.text.slice(1) ?? '',
    ...headerParts(attrs),
    consts,
    entry: { ...entryRegion, edge },
    ...(hub !== undefined && { hub }),
    blocks: blocks.filter((block) => block !== undefined),
    exit: exitRegion,
    span: report.span(header.word.at),
  };
}

/** `attention` or `mlp`; an error for anything else. */
export function readRole(reader: Reader, role: NameNode): Block['role'] {
  if (role.text === 'attention' || role.text === 'mlp') return role.text;
  reader.unknownWord('a role of a block', role, ['attention', 'mlp']);
  return 'mlp';
}

/** The gates of a module, or what else stands beside blocks; each must have its block. */
export function readGates<Gate>(
  reader: Reader,
  items: readonly ItemNode[],
  word: 'gate' | 'finish',
  read: (item: ItemNode) => Gate | undefined,
): ReadonlyMap<BlockId, Gate> {
  const blocks = new Set(items.filter(({ word }) => word.text === 'block').map(({ subject }) => subject?.text));
  const gates = new Map<BlockId, Gate>();
  for (const item of items.filter((candidate) => candidate.word.text === word)) {
    const gate = read(item);
    const { subject } = item;
    if (gate === undefined || subject === null) continue;
    const id = reader.blockId(subject);
    if (gates.has(id)) {
      reader.report.add({ code: 'RC0409', message: `block ^${id} has two ${word}s`, help: 'keep one' }, subject.at);
    } else if (!blocks.has(subject.text)) {
      const help = `a ${word} stands beside the block of its number`;
      reader.report.add({ code: 'RC0408', message: `there is no block ${quote(subject.text)}`, help }, subject.at);
    }
    gates.set(id, gate);
  }
  return gates;
}

function readBlock(
  reader: Reader,
  item: ItemNode,
  globals: Types,
  gates: ReadonlyMap<BlockId, Region>,
): Block | undefined {
  const body = readRegion(
    reader,
    item,
    globals,
    /^\^r\(>$/,
    'block ^0 mlp(%x: f32[tokens, 64], %pos: i32[tokens]) { … } -> exit',
  );
  const { subject, role, edge } = item;
  if (body === undefined || subject === null || role === null || edge === null) return undefined;
  const id = reader.blockId(subject);
  const gate = gates.get(id);
  return {
    id,
    role: readRole(reader, role),
    ...(gate !== undefined && { gate }),
    body,
    edge: reader.edge(edge),
    span: reader.report.span(item.word.at),
  };
}

function readRegion(reader: Reader, item: ItemNode, globals: Types, form: RegExp, example: string): Region | undefined {
  if (!reader.isWellFormed(item, form, example) || item.code === null) return undefined;
  const types = new Types(globals);
  const params = item.code.params.map(({ name, type }): Param => {
    const param = { name: name.text as Local, type: reader.tensorType(type), span: reader.report.span(name.at) };
    if (name.text.startsWith('@')) {
      reader.report.add({ code: 'RC0403', message: 'a region takes values (%x), not constants' }, name.at);
    }
    types.set(param.name, param.type);
    return param;
  });
  const { statements } = item.code;
  const body = statements.at(-1)?.kind === 'word' ? statements.slice(0, -1) : statements;
  const ops = body.flatMap((statement) => readOp(reader, statement, types));
  const result = readYield(reader, item.code, item.word.at);
  return {
    params,
    ops,
    result: result.name,
    span: reader.report.span(item.word.at),
    yieldSpan: reader.report.span(result.at),
  };
}

function readYield(reader: Reader, code: CodeNode, at: number): { name: Local; at: number } {
  const last = code.statements.at(-1);
  if (last?.kind === 'word') {
    if (last.word !== 'yield') reader.unknownWord('a statement', { text: last.word, at: last.at }, ['yield']);
    return { name: last.name.text as Local, at: last.at };
  }
  reader.report.add({ code: 'RC0403', message: 'the region does not end in `yield`' }, last?.at ?? at);
  return { name: '%', at };
}

function readOp(reader: Reader, statement: StatementNode, types: Types): readonly Op[] {
  if (statement.kind === 'word') {
    reader.report.add(
      { code: 'RC0403', message: `${quote(statement.word)} may stand only at the end of a region` },
      statement.at,
    );
    return [];
  }
  const { target, call, at } = statement;
  if (target === null || 'buffer' in target) {
    reader.report.add(
      { code: 'RC0403', message: 'the operation names no result', help: 'it is written `%0 = op(…)`' },
      at,
    );
    return [];
  }
  const result = target.text as Local;
  const kind = reader.opKind(call);
  const { operands, extras } = reader.operands(call.args);
  const attrs = reader.attrs(call.fields);
  if (kind === undefined) {
    types.set(result);
    return [];
  }
  const type = reader.resultType({ kind, operands, extras, attrs }, statement.type, 'region', types, at);
  types.set(result, type);
  return [{ kind, operands, extras, attrs, result, type, span: reader.report.span(at) }];
}
