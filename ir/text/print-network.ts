/** @file Writes a network in its text form, and the parts that programs have too. */
import type { Attrs, Const, Network, Op, Region } from '../types.ts';
import { printArguments, printAttrs, printEdge, printName, printType } from './words.ts';

/** The header fields that all stages have. */
export function headerAttrs({ task, context, routing }: Pick<Network, 'task' | 'context' | 'routing'>): Attrs {
  const { kv, revisit, maxHops, threshold, anchors, weighting } = routing;
  return {
    task,
    context,
    kv,
    revisit,
    max_hops: maxHops,
    ...(threshold !== undefined && { threshold }),
    ...(anchors !== undefined && { anchors }),
    ...(weighting !== undefined && { weighting }),
  };
}

/** `const @q : f32[64] = tensor {name: "q"}` */
export function printConst({ name, kind, operands, attrs, type }: Const): string {
  return `const ${printName(name)} : ${printType(type)} = ${kind}${printArguments(operands.map(printName), [])}${printAttrs(attrs)}\n`;
}

export function printNetwork(network: Network): string {
  const { name, consts, entry, hub, blocks, exit } = network;
  return [
    `network ${printName(`@${name}`)}${printAttrs(headerAttrs(network))}\n`,
    consts.map(printConst).join(''),
    `entry${printRegion(entry)}${printEdge(entry.edge)}\n`,
    hub === undefined ? '' : `hub${printRegion(hub)}\n`,
    ...blocks.flatMap(({ id, role, gate, body, edge }) => [
      gate === undefined ? '' : `gate ^${id}${printRegion(gate)}\n`,
      `block ^${id} ${role}${printRegion(body)}${printEdge(edge)}\n`,
    ]),
    `exit${printRegion(exit)}\n`,
  ]
    .filter((part) => part !== '')
    .join('\n');
}

function printRegion({ params, ops, result }: Region): string {
  const inputs = params.map(({ name, type }) => `${printName(name)}: ${printType(type)}`).join(', ');
  return `(${inputs}) {\n${ops.map(printOp).join('')}  yield ${printName(result)}\n}`;
}

function printOp({ kind, operands, extras, attrs, result, type }: Op): string {
  const labelled = Object.entries(extras).map(([label, ref]) => [label, printName(ref)] as const);
  return `  ${printName(result)} : ${printType(type)} = ${kind}${printArguments(operands.map(printName), labelled)}${printAttrs(attrs)}\n`;
}
