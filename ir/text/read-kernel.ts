/** @file Turns the items of a text that begins with `program` into a kernel program. */
import type { BlockInstance, Instance, KernelProgram } from '../kernel/types.ts';
import type { BlockId } from '../types.ts';
import { quote } from '../verify/op.ts';
import { readBody, readInstance } from './read-body.ts';
import { headerParts, headerSpecs, readGates, readRole } from './read-network.ts';
import { count, readBuffer, readKv, readMemory, readWeight, size } from './read-storage.ts';
import { readTrace } from './read-trace.ts';
import { Reader, Types } from './read.ts';
import type { Report } from './report.ts';
import type { ItemNode } from './syntax.ts';

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
