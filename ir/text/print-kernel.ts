/** @file Writes a kernel program in its text form. */
import { isView } from '../kernel/types.ts';
import { kernelSpecs } from '../kernel/table.ts';
import type {
  Body,
  Buffer,
  Formal,
  Input,
  Instance,
  Kernel,
  KernelProgram,
  KvPlan,
  MemoryPlan,
  Trace,
  View,
  Weight,
} from '../kernel/types.ts';
import type { Attrs } from '../types.ts';
import { headerAttrs, printConst } from './print-network.ts';
import { printArguments, printAttrs, printEdge, printName, printNumber } from './words.ts';

export function printKernelProgram(program: KernelProgram): string {
  const { name, consts, weights, buffers, kv, memory, bodies, entry, hub, blocks, exit, traces = [] } = program;
  const header = {
    ...headerAttrs(program),
    chunk: program.chunk,
    head_rows: program.headRows,
    ...(program.sequences !== 1 && { sequences: program.sequences }),
  };
  return [
    `program ${printName(`@${name}`)}${printAttrs(header)}\n`,
    consts.map(printConst).join(''),
    weights.map(printWeight).join(''),
    buffers.map(printBuffer).join(''),
    kv === null ? '' : `kv${printAttrs(kvAttrs(kv))}\n`,
    memory === null ? '' : `memory${printAttrs(memoryAttrs(memory))}\n`,
    ...bodies.map(printBody),
    [
      `entry = ${printInstance(entry)}${printEdge(entry.edge)}\n`,
      hub === undefined ? '' : `hub = ${printInstance(hub)}\n`,
      ...blocks.map((block) => {
        const gate = block.gate === undefined ? '' : `gate ^${block.id} = ${printInstance(block.gate)}\n`;
        const finish = block.finish === undefined ? '' : `finish ^${block.id} = ${printInstance(block.finish)}\n`;
        const list = printAttrs({
          ...(block.list !== null && { list: block.list }),
          ...(block.scores !== undefined && { scores: block.scores }),
        });
        return `${gate}${finish}block ^${block.id} ${block.role}${list} = ${printInstance(block)}${printEdge(block.edge)}\n`;
      }),
      `exit = ${printInstance(exit)}\n`,
      ...traces.map(printTrace),
    ].join(''),
  ]
    .filter((part) => part !== '')
    .join('\n');
}

function at(address: number | null): Attrs {
  return address === null ? {} : { at: address };
}

function printDims(dims: readonly (number | string)[]): string {
  return `[${dims.map((dim) => (typeof dim === 'string' ? dim : printNumber(dim))).join(', ')}]`;
}

function printWeight(weight: Weight): string {
  return `weight ${printName(weight.name)} : ${weight.layout}${printDims(weight.shape)}${printAttrs(at(weight.at))}\n`;
}

function printBuffer({ name, dtype, rows, columns, scope, at: address }: Buffer): string {
  return `buffer ${printName(name)} : ${dtype}${printDims([rows, columns])} = ${scope}${printAttrs(at(address))}\n`;
}

function kvAttrs(kv: KvPlan): Attrs {
  return {
    slots: kv.slots,
    width: kv.width,
    lists: kv.lists,
    pages: kv.pages,
    pages_per_list: kv.pagesPerList,
    entries_per_list: kv.entriesPerList,
    bytes_per_token_static: kv.bytesPerTokenStatic,
    bytes_per_token_worst: kv.bytesPerTokenWorst,
    ...at(kv.at),
  };
}

function memoryAttrs(memory: MemoryPlan): Attrs {
  return { weights_at: memory.weightsAt, weights_bytes: memory.weightsBytes, total: memory.total };
}

function printBody({ name, formals, kernels, fill }: Body): string {
  const second = fill.length === 0 ? '' : ` fill {\n${fill.map(printKernel).join('')}}`;
  return `body ${printName(`#${name}`)}(${formals.map(printFormal).join(', ')}) {\n${kernels.map(printKernel).join('')}}${second}\n`;
}

function printFormal({ name, shape, layout }: Formal): string {
  return `${printName(name)}: ${layout}${printDims(shape)}`;
}

/** Inputs that the table requires stand in its order without labels, as far as they are there; the others have labels. */
function printKernel({ kind, out, inputs, attrs }: Kernel): string {
  const required = Object.entries(kernelSpecs[kind].inputs).filter(([, spec]) => spec.optional !== true);
  const missing = required.findIndex(([name]) => !Object.hasOwn(inputs, name));
  const positional = required.slice(0, missing === -1 ? required.length : missing).map(([name]) => name);
  const labelled = Object.entries(inputs).filter(([name]) => !positional.includes(name));
  const args = printArguments(
    positional.flatMap((name) => (inputs[name] === undefined ? [] : [printInput(inputs[name])])),
    labelled.map(([name, input]) => [name, printInput(input)] as const),
  );
  return `  ${out === null ? '' : `${printView(out)} = `}${kind}${args}${printAttrs(attrs)}\n`;
}

function printInput(input: Input): string {
  return isView(input) ? printView(input) : printName(input.weight);
}

/** `$x[0..64]`: columns; `$x[routed, 0..64]`: of the rows of the row list. */
function printView({ buffer, from, columns, routed }: View): string {
  return `${printName(buffer)}[${routed ? 'routed, ' : ''}${printNumber(from)}..${printNumber(from + columns)}]`;
}

/** `trace ^0 -> [^1, ^2]`: the first block, and those that follow. */
function printTrace({ blocks: [first = -1, ...successors] }: Trace): string {
  return `trace ^${first}${printEdge({ router: null, successors })}\n`;
}

function printInstance({ body, args }: Instance): string {
  return `${printName(`#${body}`)}${printArguments(args.map(printName), [])}`;
}
