/** @file `radialc inspect`: graph, blocks, parameters, FLOPs and bytes, KV plan. */
import { Command, Option } from 'commander';
import { fail, printModule } from '../../../ir/index.ts';
import type { Edge, KernelProgram, Network } from '../../../ir/index.ts';
import { checkTraffic, costOf } from '../../../passes/index.ts';
import type { NetworkCost } from '../../../passes/index.ts';
import type { ProgramInfo } from '../../../runtime/artifact/index.ts';
import { inspect } from '../../../runtime/index.ts';
import { readArtifactIr } from '../../artifact/index.ts';
import { build } from '../../build.ts';
import { bytes, quantity, table, visible } from '../format.ts';
import type { Io } from '../io.ts';
import { buildRequest, isArtifact, refuseBuildOptions } from '../model.ts';
import { addBuildOptions, formatOption, routesOption, wholeNumber } from '../options.ts';
import type { BuildOptions, FormatOptions } from '../options.ts';
import { readTraffic } from '../route-file.ts';
import { kvTable } from '../../routing/index.ts';

interface InspectOptions extends FormatOptions, BuildOptions {
  readonly cached: number;
  readonly ir?: 'network' | 'kernels';
  readonly routes?: string;
}

/** All that is shown. */
interface Facts extends Inspected {
  /** Tokens in the KV cache. */
  readonly cached: number;
  /** KV bytes of a token, on recorded routes. */
  readonly expected: number | undefined;
}

/** What a checkpoint, once compiled, and a program can both tell. */
interface Inspected {
  readonly info: ProgramInfo;
  readonly network: Network;
  readonly program: KernelProgram;
  readonly wasmBytes: number;
}

export function inspectCommand(io: Io): Command {
  const command = new Command('inspect')
    .description('show what a model consists of: blocks, edges, parameters, FLOPs, bytes, KV cache')
    .argument('<model>', 'a compiled program or a checkpoint folder')
    .option('--cached <n>', 'tokens in the KV cache, for the FLOPs', wholeNumber(1), 128)
    .addOption(routesOption('recorded routes: the bytes that their tokens leave in the KV cache, the mean'))
    .addOption(new Option('--ir <stage>', 'print the IR instead').choices(['network', 'kernels']))
    .addOption(formatOption());
  return addBuildOptions(command)
    .addHelpText(
      'after',
      '\nExamples:\n  $ radialc inspect ./out\n  $ radialc inspect ./opt-125m --route external --kv latest --format=json\n  $ radialc inspect ./out --ir kernels',
    )
    .action(async (path: string, options: InspectOptions) => {
      const inspected = await open(path, options);
      io.out(visible(shown(inspected, options)));
    });
}

function shown(inspected: Inspected, { ir, format, cached, routes }: InspectOptions): string {
  if (ir !== undefined) return printModule(ir === 'network' ? inspected.network : inspected.program).trimEnd();
  const facts = { ...inspected, cached, expected: routes === undefined ? undefined : expectedBytes(inspected, routes) };
  return format === 'json' ? JSON.stringify(describe(facts), null, 2) : asText(facts);
}

/**
 * KV bytes that a recorded token leaves, the mean; undefined without attention.
 * @throws RadialError RC0610, RC1015
 */
function expectedBytes({ info, program }: Inspected, file: string): number | undefined {
  const { traffic, walks } = readTraffic(file);
  checkTraffic(program, traffic);
  return kvTable(info, [walks])?.expected;
}

async function open(path: string, options: InspectOptions): Promise<Inspected> {
  if (isArtifact(path)) {
    refuseBuildOptions(path, options);
    const manifest = await inspect(path);
    const { network, program, close } = readArtifactIr(path, manifest);
    close();
    return { info: manifest.program, network, program, wasmBytes: manifest.wasm.bytes };
  }
  const built = await build(buildRequest(path, options));
  built.close();
  const { info, network, program, wasm } = built;
  if (network === null) {
    fail('RC1007', 'the text is lowered to kernels: there is no network to describe', {
      place: { file: path },
      help: 'inspect the checkpoint, or the text of the network',
    });
  }
  return { info, network, program, wasmBytes: wasm.byteLength };
}

function costs(network: Network, cached: number): NetworkCost {
  return costOf(network, { rows: 1, cached });
}

/** Everything, for machines. FLOPs are those of one token that sees `cached` tokens. */
function describe({ info, network, program, wasmBytes, cached, expected }: Facts): object {
  const cost = costs(network, cached);
  return {
    name: info.name,
    family: info.family,
    task: info.task,
    target: info.target,
    dtype: info.dtype,
    shapes: info.shapes,
    routing: routingOf(info.routing),
    edges: { entry: network.entry.edge.successors, router: network.entry.edge.router?.kind ?? null },
    blocks: cost.blocks.map((block, i) => {
      const { edge } = network.blocks[i] ?? {};
      return { ...block, router: edge?.router?.kind ?? null, successors: edge?.successors ?? [] };
    }),
    entry: cost.entry,
    hub: cost.hub,
    exit: cost.exit,
    total: cost.total,
    kv: info.kv && { ...info.kv, ...(expected !== undefined && { bytesPerTokenExpected: expected }) },
    memory: info.memory,
    wasmBytes,
    bodies: program.bodies.map(({ name, kernels }) => ({ name, kernels: kernels.map(({ kind }) => kind) })),
  };
}

function routingOf({ kv, revisit, maxHops, decides, threshold, anchors, weighting }: ProgramInfo['routing']): object {
  return {
    kv,
    revisit,
    maxHops,
    decides,
    ...(decides !== null && { threshold, anchors }),
    ...(weighting && { weighting }),
  };
}

function asText({ info, network, program, wasmBytes, cached, expected }: Facts): string {
  const cost = costs(network, cached);
  const { routing, shapes, kv, memory } = info;
  const rows = [
    [
      'entry',
      '',
      quantity(cost.entry.parameters),
      bytes(cost.entry.weightBytes),
      quantity(cost.entry.flops),
      edgeText(network.entry.edge),
    ],
    ...cost.blocks.map(({ id, role, gate, parameters, weightBytes, flops }, i) => [
      `^${id}`,
      gate === null ? role : `${role}, gated`,
      quantity(parameters),
      bytes(weightBytes),
      quantity(flops),
      edgeText(network.blocks[i]?.edge),
    ]),
    ['exit', '', quantity(cost.exit.parameters), bytes(cost.exit.weightBytes), quantity(cost.exit.flops), ''],
    ['total', '', quantity(cost.total.parameters), bytes(cost.total.weightBytes), quantity(cost.total.flops), ''],
  ];
  const lines = [
    `${info.name}: ${info.family}, ${info.task}, ${network.blocks.length} blocks, hidden ${shapes.hidden}, ${shapes.outputs} outputs, context ${shapes.context}`,
    `routing: kv ${routing.kv}, revisit ${routing.revisit}, at most ${routing.maxHops} hops${learned(info, cost)}`,
    '',
    table(['block', 'role', 'parameters', 'weights', 'FLOPs', 'next'], rows),
    '',
    `FLOPs: one token that sees ${cached} tokens. A constant that several blocks read counts once in the total.`,
  ];
  if (kv !== null) {
    const held = shapes.sequences === 1 ? '' : ` for each of ${shapes.sequences} sequences`;
    lines.push(
      `KV cache: ${kv.lists} lists${held} in one pool of ${kv.pages} pages of ${kv.slots} entries, ${bytes(kv.pages * kv.pageBytes)}; ` +
        `a token takes ${bytes(kv.bytesPerTokenStatic)} (each attention block once), at worst ${bytes(kv.bytesPerTokenWorst)}` +
        (expected === undefined ? '' : `, on the recorded routes ${bytes(expected)}`),
    );
  }
  lines.push(
    `program: model.wasm ${bytes(wasmBytes)}, ${program.bodies.length} bodies (${program.bodies.map(({ name, kernels }) => `${name} ${kernels.length}`).join(', ')} kernels), ` +
      `weights ${bytes(memory.weightsBytes)}, memory ${bytes(memory.bytes)}`,
  );
  return lines.join('\n');
}

/** What routers decide by, and what they cost in all. */
function learned({ routing }: ProgramInfo, { hub, blocks, total }: NetworkCost): string {
  if (routing.decides === null) return '';
  const gates = blocks.reduce((sum, { gate }) => sum + (gate?.flops ?? 0), 0);
  const share = (flops: number): string => `${((100 * flops) / total.flops).toFixed(1)} % of the FLOPs`;
  const knob = blocks.some(({ gate }) => gate !== null)
    ? `; gates open above ${routing.threshold}, ${share(gates)}`
    : '';
  const asked = hub === null ? '' : `; a hub, ${share((blocks.length + 1) * hub.flops)}`;
  const { anchors, weighting } = routing;
  const anchored =
    anchors === 0 ? '' : `; the first ${anchors === 1 ? 'token skips' : `${anchors} tokens skip`} nothing`;
  const weighed = weighting === undefined ? '' : '; what blocks add is scaled by its probability';
  return `${knob}${asked}${anchored}${weighed}`;
}

/** `^1`, or the router with its first successors. */
function edgeText(edge: Edge | undefined): string {
  if (edge === undefined) return '';
  const names = edge.successors.map((next) => (next === 'exit' ? 'exit' : `^${next}`));
  if (edge.router === null) return names.join(', ');
  // One after the other, to the exit.
  const [first] = edge.successors;
  const isRest =
    edge.successors.length > 3 && edge.successors.slice(0, -1).every((next, i) => next === Number(first) + i);
  if (isRest) return `${edge.router.kind}: ${names[0] ?? ''}..${names.at(-2) ?? ''}, ${names.at(-1) ?? ''}`;
  const shown = names.length > 4 ? [...names.slice(0, 2), `… ${names.length} in all`] : names;
  return `${edge.router.kind}: ${shown.join(', ')}`;
}
