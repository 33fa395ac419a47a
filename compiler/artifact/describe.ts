/** @file What the manifest says about a program: its shapes, graph, KV plan and addresses. */
import {
  DEFAULT_THRESHOLD,
  HIDDEN,
  IDS,
  KV_PROBES,
  LEVEL,
  LOGITS,
  PIXELS,
  POSITIONS,
  PROBES,
  SEQUENCE,
  WALK,
  bufferBytes,
  decidesInOneSweep,
  hasLearnedRouters,
  isWeighted,
  needsWalk,
  numberAttr,
  strideOf,
  vocabularyOf,
} from '../../ir/index.ts';
import type { Buffer, BufferName, Edge, KernelProgram } from '../../ir/index.ts';
import type { Abi, EdgeInfo, KvInfo, ProgramInfo, Rows, Shapes, Tokens } from '../../runtime/artifact/index.ts';

/** What the program itself does not know. */
export interface ProgramFacts {
  /** For example `opt`. */
  readonly family: string;
  /** For example `wasm-simd`. */
  readonly target: string;
  /** For example `fp32`. */
  readonly dtype: string;
  readonly tokens: Tokens;
  /** Names of the outputs, or nothing. */
  readonly labels: readonly string[];
}

/** Describes a program whose memory is planned. */
export function describeProgram(program: KernelProgram, facts: ProgramFacts): ProgramInfo {
  const { memory, routing } = program;
  if (memory === null) throw new Error('internal: the memory of the program is not planned');
  return {
    name: program.name,
    task: program.task,
    family: facts.family,
    target: facts.target,
    dtype: facts.dtype,
    shapes: shapesOf(program),
    labels: facts.labels,
    tokens: facts.tokens,
    routing: {
      kv: routing.kv,
      revisit: routing.revisit,
      maxHops: routing.maxHops,
      needsWalk: needsWalk(program),
      decides: hasLearnedRouters(program) ? (decidesInOneSweep(program) ? 'sweep' : 'hop') : null,
      threshold: routing.threshold ?? DEFAULT_THRESHOLD,
      anchors: routing.anchors ?? 0,
      ...(isWeighted(program) && { weighting: 'probability' }),
      entry: edgeInfo(program.entry.edge),
      blocks: program.blocks.map(({ id, role, gate, edge }) => ({
        id,
        role,
        gated: gate !== undefined,
        ...edgeInfo(edge),
      })),
    },
    kv: kvInfo(program),
    memory: { bytes: memory.total, weightsAt: memory.weightsAt, weightsBytes: memory.weightsBytes },
    abi: abiOf(program),
  };
}

function edgeInfo({ successors, router }: Edge): EdgeInfo {
  return { successors, router: router?.kind ?? null };
}

function shapesOf(program: KernelProgram): Shapes {
  const patchify = program.bodies.flatMap((body) => body.kernels).find(({ kind }) => kind === 'patchify');
  const side = (name: string): number => (patchify === undefined ? 0 : numberAttr(patchify.attrs, name));
  const image = { channels: side('channels'), height: side('height'), width: side('width') };
  return {
    hidden: required(program, HIDDEN).columns,
    // Where no table is read by ids, any id will do.
    vocabulary: vocabularyOf(program) ?? required(program, LOGITS).columns,
    outputs: required(program, LOGITS).columns,
    context: program.context,
    chunk: program.chunk,
    headRows: program.headRows,
    sequences: program.sequences,
    image: program.task === 'image-classification' ? image : null,
  };
}

function kvInfo({ kv }: KernelProgram): KvInfo | null {
  if (kv === null) return null;
  const { slots, width, pages, pagesPerList, lists, bytesPerTokenStatic, bytesPerTokenWorst } = kv;
  const pageBytes = 2 * slots * width * Float32Array.BYTES_PER_ELEMENT;
  return { slots, pageBytes, pages, pagesPerList, lists, bytesPerTokenStatic, bytesPerTokenWorst };
}

function abiOf(program: KernelProgram): Abi {
  const rows = (name: BufferName): Rows | null => {
    const buffer = find(program, name);
    return buffer === undefined ? null : rowsOf(program, buffer);
  };
  return {
    ids: rows(IDS),
    positions: rows(POSITIONS),
    sequences: rows(SEQUENCE),
    pixels: rows(PIXELS),
    walk: rows(WALK),
    level: rows(LEVEL),
    hidden: rowsOf(program, required(program, HIDDEN)),
    logits: rowsOf(program, required(program, LOGITS)),
    probes: rows(PROBES),
    kvProbes: rows(KV_PROBES),
  };
}

function rowsOf(program: KernelProgram, buffer: Buffer): Rows {
  if (buffer.at === null) throw new Error(`internal: buffer ${buffer.name} has no address`);
  const stride = strideOf(buffer);
  return { at: buffer.at, rows: bufferBytes(buffer, program) / (4 * stride), stride };
}

function find({ buffers }: KernelProgram, name: BufferName): Buffer | undefined {
  return buffers.find((buffer) => buffer.name === name);
}

function required(program: KernelProgram, name: BufferName): Buffer {
  const buffer = find(program, name);
  if (buffer === undefined) throw new Error(`internal: the program has no buffer ${name}`);
  return buffer;
}
