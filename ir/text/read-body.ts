/** @file Bodies of a kernel program: their kernels, and where they are used. */
import { isKernelKind, kernelKinds, kernelSpecs } from '../kernel/table.ts';
import type { Body, BufferName, Formal, Input, Instance, Kernel, View } from '../kernel/types.ts';
import type { Global } from '../types.ts';
import { quote } from '../verify/op.ts';
import { readLayout } from './read-storage.ts';
import type { Reader } from './read.ts';
import { isViewNode } from './syntax.ts';
import type { ArgNode, CallNode, ItemNode, StatementNode, ViewNode } from './syntax.ts';

export function readBody(reader: Reader, item: ItemNode): readonly Body[] {
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

export function readInstance(reader: Reader, item: ItemNode): Instance | undefined {
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
