/** @file What a kernel program holds: its weights, buffers and KV pages, and where they are in memory. */
import { weightLayouts } from '../kernel/types.ts';
import type { Buffer, BufferName, KvPlan, MemoryPlan, Weight, WeightLayout } from '../kernel/types.ts';
import type { AttrSpec } from '../ops/spec.ts';
import type { Global } from '../types.ts';
import { quote } from '../verify/op.ts';
import type { Reader } from './read.ts';
import type { ItemNode, TypeNode } from './syntax.ts';

export const count = { type: 'number', integer: true, min: 1 } as const;
export const size = { type: 'number', integer: true, min: 0 } as const;
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

export function readWeight(reader: Reader, item: ItemNode): readonly Weight[] {
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

export function readBuffer(reader: Reader, item: ItemNode): readonly Buffer[] {
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

export function readKv(reader: Reader, item: ItemNode | undefined): KvPlan | null {
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

export function readMemory(reader: Reader, item: ItemNode | undefined): MemoryPlan | null {
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

function readAddress(reader: Reader, item: ItemNode, fields: ItemNode['fields']): number | null {
  const attrs = reader.header(quote(item.subject?.text ?? item.word.text), fields, item.word.at, address);
  return typeof attrs['at'] === 'number' ? attrs['at'] : null;
}

export function readLayout(reader: Reader, type: TypeNode): WeightLayout {
  const layout = weightLayouts.find((known) => known === type.word);
  if (layout === undefined) reader.unknownWord('a weight layout', { text: type.word, at: type.at }, weightLayouts);
  return layout ?? 'rows';
}
