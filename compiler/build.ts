/**
 * @file The compiler, end to end: input → network → passes → kernels → wasm, in memory; `compile` writes the artifact.
 */
import { fail } from '../ir/index.ts';
import type { KernelProgram, KvPolicy, Network, RevisitRule, WeightSource } from '../ir/index.ts';
import { pipelinePasses, runPasses } from '../passes/index.ts';
import type {
  Lowering,
  ManagerOptions,
  Module,
  OptimisationLevel,
  Pass,
  PassOptions,
  PassReport,
  Traffic,
} from '../passes/index.ts';
import type { Manifest, ProgramInfo } from '../runtime/artifact/index.ts';
import { describeProgram, irFiles, writeArtifact } from './artifact/index.ts';
import type { ExtraFile } from './artifact/index.ts';
import { openInput } from './input.ts';
import type { Input } from './input.ts';
import { packageVersion } from './package-info.ts';
import { passRoute } from './route.ts';
import type { RouteOption } from './route.ts';
import { findTarget } from './targets.ts';
import type { Dtype, Target } from './targets.ts';

export interface BuildRequest {
  /** A checkpoint folder, or a module as text (`*.rir`) of either stage. */
  readonly input: string;
  /** For a text: the folder with the tensors that it names. */
  readonly weights?: string | undefined;
  /** Default `wasm-simd`. */
  readonly target?: string | undefined;
  /** Default `fp32`. */
  readonly dtype?: string | undefined;
  readonly route?: RouteOption;
  readonly kv?: KvPolicy | undefined;
  readonly revisit?: RevisitRule | undefined;
  readonly maxHops?: number | undefined;
  /** Default `O2`. */
  readonly optLevel?: OptimisationLevel | undefined;
  readonly context?: number | undefined;
  /** Tokens that prefill takes at a time. */
  readonly chunk?: number | undefined;
  /** Sequences that the program holds at once; default 1. */
  readonly sequences?: number | undefined;
  /** Lets each block report what it does to the hidden state. */
  readonly probes?: boolean | undefined;
  /** Of recorded routes: what tokens mostly do becomes the fast way (at O2). */
  readonly traffic?: Traffic | undefined;
  /** Lets attention blocks report what the KV policies would leave of tokens that skip. */
  readonly kvProbes?: boolean | undefined;
  /** Counts kernel calls in the program, for tests. */
  readonly counters?: boolean | undefined;
  /** Looks into the pipeline, stops or resumes it. */
  readonly manager?: Omit<ManagerOptions, 'options'> | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Built {
  /** What was lowered; null when the input was lowered already. */
  readonly network: Network | null;
  readonly program: KernelProgram;
  readonly wasm: Uint8Array;
  readonly info: ProgramInfo;
  readonly source: WeightSource;
  readonly tokenizer: readonly ExtraFile[];
  readonly passes: readonly PassReport[];
  /** Milliseconds of each stage. */
  readonly stages: Readonly<Record<string, number>>;
  readonly close: () => void;
}

/** Builds a program in memory; the caller closes it. @throws RadialError with what is wrong with the input */
export async function build(request: BuildRequest): Promise<Built> {
  const { target, dtype } = findTarget(request.target, request.dtype);
  const started = performance.now();
  const input = openInput(request.input, { context: request.context, weights: request.weights });
  try {
    const opened = performance.now();
    const { network, last, reports } = runPipeline(input, { target, int8: dtype.int8 }, request);
    if (last.stage !== 'kernel' || last.memory === null) {
      fail('RC0607', 'the passes ended before the program was planned', {
        place: { file: request.input },
        help: '--compile-from names the pass after which the text was dumped; `radialc opt` prints unfinished modules',
      });
    }
    requireBuffers(last, target, request.input);
    const format = formatOf(last, { target, asked: dtype, reports, file: request.input });
    const lowered = performance.now();
    request.signal?.throwIfAborted();
    const wasm = await target.emit(last, { counters: request.counters ?? false });
    const info = describeProgram(last, {
      family: input.family,
      target: target.name,
      dtype: format,
      tokens: input.tokens,
      labels: input.labels,
    });
    return {
      network,
      program: last,
      wasm,
      info,
      source: input.source,
      tokenizer: input.tokenizer,
      passes: reports,
      stages: { frontend: opened - started, passes: lowered - opened, wasm: performance.now() - lowered },
      close: () => {
        input.close();
      },
    };
  } catch (error) {
    input.close();
    throw error;
  }
}

export interface CompileOptions {
  readonly outDir: string;
  /** Bytes of weights that are written. */
  readonly onProgress?: (done: number, total: number) => void;
}

export interface Compiled {
  readonly manifest: Manifest;
  readonly metafile: Metafile;
}

/** What a compilation did, for machines. Sizes in bytes, times in milliseconds. */
export interface Metafile {
  readonly input: string;
  readonly output: string;
  readonly wasmBytes: number;
  readonly weightBytes: number;
  readonly memoryBytes: number;
  /** Most memory that the process has had in use so far (resident). */
  readonly peakBytes: number;
  readonly kernels: number;
  readonly blocks: number;
  readonly stages: Readonly<Record<string, number>>;
  readonly passes: readonly PassReport[];
}

/** Builds a program and writes its artifact: all of it or nothing. @throws RadialError; the signal's reason */
export async function compile(request: BuildRequest, options: CompileOptions): Promise<Compiled> {
  const built = await build(request);
  try {
    const { info, network, program, source, wasm, tokenizer } = built;
    const ir = irFiles(network, program);
    const started = performance.now();
    const manifest = await writeArtifact(
      { info, program, source, wasm, tokenizer, ir, version: packageVersion() },
      options.outDir,
      {
        ...(options.onProgress !== undefined && { onProgress: options.onProgress }),
        ...(request.signal !== undefined && { signal: request.signal }),
      },
    );
    const stages = { ...built.stages, write: performance.now() - started };
    return { manifest, metafile: metafileOf(request.input, options.outDir, built, stages) };
  } finally {
    built.close();
  }
}

function metafileOf(input: string, output: string, built: Built, stages: Metafile['stages']): Metafile {
  const { program, wasm, info, passes } = built;
  return {
    input,
    output,
    wasmBytes: wasm.byteLength,
    weightBytes: info.memory.weightsBytes,
    memoryBytes: info.memory.bytes,
    peakBytes: 1024 * process.resourceUsage().maxRSS,
    kernels: program.bodies.reduce((sum, { kernels, fill }) => sum + kernels.length + fill.length, 0),
    blocks: program.blocks.length,
    stages,
    passes,
  };
}

interface Asked {
  readonly target: Target;
  readonly asked: Dtype;
  readonly reports: readonly PassReport[];
  readonly file: string;
}

/** The name of the program's number format: what was asked for, or what a text has brought along. */
function formatOf({ bodies, blocks, weights }: KernelProgram, { target, asked, reports, file }: Asked): string {
  if (asked.int8 !== undefined && !reports.some(({ name }) => name === 'quantize')) {
    fail('RC1009', `the text is from after the pass quantize, which makes ${asked.name} programs`, {
      place: { file },
      help: 'compile the text from before it, or leave --dtype out',
    });
  }
  if (asked.int8 !== undefined || weights.every(({ layout }) => layout !== 'int8')) return asked.name;
  const ofBlocks = new Set(blocks.map(({ body }) => body));
  const isNarrow = bodies.some(
    ({ name, formals }) => ofBlocks.has(name) && formals.some(({ layout }) => layout === 'int8'),
  );
  return target.dtypes.find(({ int8 }) => int8 === (isNarrow ? 'all' : 'head'))?.name ?? asked.name;
}

/** A text that was placed in memory already must have the target's buffers too. */
function requireBuffers(program: KernelProgram, target: Target, file: string): void {
  const found = new Map(program.buffers.map((buffer) => [buffer.name, buffer]));
  for (const { name, dtype, rows, columns, scope } of target.buffers(program)) {
    const buffer = found.get(name);
    const fits = buffer?.dtype === dtype && buffer.scope === scope && buffer.rows >= rows && buffer.columns >= columns;
    if (fits && buffer.at !== null) continue;
    fail('RC0607', `the program lacks the buffer ${name}, ${dtype}[${rows}, ${columns}], of target ${target.name}`, {
      place: { file },
      help: 'compile the text from before plan-memory, which makes these buffers',
    });
  }
}

interface Lowered {
  readonly network: Network | null;
  readonly last: Module;
  readonly reports: readonly PassReport[];
}

/** All passes; keeps the network that is lowered. */
function runPipeline(
  { module }: Input,
  { target, int8 }: { readonly target: Target; readonly int8: PassOptions['int8'] },
  request: BuildRequest,
): Lowered {
  let network: Network | null = null;
  const passes = pipelinePasses(request.optLevel ?? 'O2').map((pass): Pass => {
    if (pass.stage !== 'lowering') return pass;
    const run: Lowering['run'] = (lowered, context) => {
      network = lowered;
      return pass.run(lowered, context);
    };
    return { ...pass, run };
  });
  const options: PassOptions = {
    route: passRoute(request.route, module, request.input),
    kv: request.kv,
    revisit: request.revisit,
    maxHops: request.maxHops,
    chunk: request.chunk,
    sequences: request.sequences,
    int8,
    probes: request.probes,
    traffic: request.traffic,
    kvProbes: request.kvProbes,
    extraBuffers: target.buffers,
  };
  const isLowered = module.stage === 'kernel';
  const result = runPasses(module, passes, { ...(isLowered && { startAfter: 'lower' }), ...request.manager, options });
  return { network, last: result.module, reports: result.reports };
}
