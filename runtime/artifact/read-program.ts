/** @file The part of the manifest that describes the program: ranges of every number, addresses inside memory. */
import {
  readBoolean,
  readInteger,
  readList,
  readNullable,
  readNumber,
  readObject,
  readString,
  readWord,
  refuse,
} from './fields.ts';
import type { Field } from './fields.ts';
import { KV_PROBE_COLUMNS, PROBE_COLUMNS, routerKinds } from './manifest.ts';
import type { Abi, BlockInfo, EdgeInfo, KvInfo, ProgramInfo, RoutingInfo, Rows, Shapes, Tokens } from './manifest.ts';

const PAGE = 65_536;
const MAX_MEMORY = 4 * 1024 * 1024 * 1024;
const MAX_SIZE = 16 * 1024 * 1024;
/** As in `ir/limits.ts`. */
const MAX_ID = 32_767;
const MAX_BLOCKS = MAX_ID + 1;
const MAX_HOPS = 65_536;
const MAX_NAME = 1000;

type Memory = ProgramInfo['memory'];

export function readProgram(field: Field): ProgramInfo {
  const names = [
    'name', 'task', 'family', 'target', 'dtype', 'shapes', 'labels', 'tokens', 'routing', 'kv', 'memory', 'abi',
  ] as const; // prettier-ignore
  const fields = readObject(field, names);
  const task = readWord(fields.task, ['causal-lm', 'image-classification']);
  const shapes = readShapes(fields.shapes, task);
  const memory = readMemory(fields.memory);
  const routing = readRouting(fields.routing);
  return {
    name: readString(fields.name, MAX_NAME),
    task,
    family: readString(fields.family, MAX_NAME),
    target: readString(fields.target, MAX_NAME),
    dtype: readString(fields.dtype, MAX_NAME),
    shapes,
    labels: readLabels(fields.labels, shapes),
    tokens: readTokens(fields.tokens, shapes),
    routing,
    kv: readNullable(fields.kv, readKv),
    memory,
    abi: readAbi(fields.abi, { task, shapes, routing, memory }),
  };
}

function readShapes(field: Field, task: ProgramInfo['task']): Shapes {
  const fields = readObject(field, [
    'hidden', 'vocabulary', 'outputs', 'context', 'chunk', 'headRows', 'sequences', 'image',
  ]); // prettier-ignore
  const image = readNullable(fields.image, (inner) => {
    const sizes = readObject(inner, ['channels', 'height', 'width']);
    return {
      channels: readInteger(sizes.channels, 1, 65_536),
      height: readInteger(sizes.height, 1, 65_536),
      width: readInteger(sizes.width, 1, 65_536),
    };
  });
  if ((image !== null) !== (task === 'image-classification')) refuse(fields.image, `what task ${task} needs`);
  const chunk = readInteger(fields.chunk, 1, MAX_SIZE);
  return {
    hidden: readInteger(fields.hidden, 1, MAX_SIZE),
    vocabulary: readInteger(fields.vocabulary, 1, MAX_SIZE),
    outputs: readInteger(fields.outputs, 1, MAX_SIZE),
    // An image is taken in one piece.
    context: readInteger(fields.context, 1, image === null ? MAX_SIZE : chunk),
    chunk,
    headRows: readInteger(fields.headRows, 1, chunk),
    sequences: readInteger(fields.sequences, 1, image === null ? chunk : 1),
    image,
  };
}

function readLabels(field: Field, { outputs }: Shapes): readonly string[] {
  const labels = readList(field, outputs, (item) => readString(item, MAX_NAME));
  if (labels.length !== 0 && labels.length !== outputs) refuse(field, `${outputs} labels or none`);
  return labels;
}

function readTokens(field: Field, { outputs }: Shapes): Tokens {
  const fields = readObject(field, ['bos', 'addBos', 'eos']);
  const id = (inner: Field): number => readInteger(inner, 0, outputs - 1);
  const bos = readNullable(fields.bos, id);
  const addBos = readBoolean(fields.addBos);
  if (addBos && bos === null) refuse(fields.addBos, 'false, as there is no bos');
  return { bos, addBos, eos: readList(fields.eos, 1000, id) };
}

function readMemory(field: Field): Memory {
  const fields = readObject(field, ['bytes', 'weightsAt', 'weightsBytes']);
  const bytes = readInteger(fields.bytes, PAGE, MAX_MEMORY);
  if (bytes % PAGE !== 0) refuse(fields.bytes, `a multiple of ${PAGE}`);
  const weightsAt = readInteger(fields.weightsAt, 0, bytes);
  if (weightsAt % 4 !== 0) refuse(fields.weightsAt, 'a multiple of 4');
  return { bytes, weightsAt, weightsBytes: readInteger(fields.weightsBytes, 0, bytes - weightsAt) };
}

function readRouting(field: Field): RoutingInfo {
  const fields = readObject(
    field,
    ['kv', 'revisit', 'maxHops', 'needsWalk', 'decides', 'threshold', 'anchors', 'weighting', 'entry', 'blocks'],
    ['weighting'],
  );
  const entry = readObject(fields.entry, ['successors', 'router']);
  const blocks = readList(fields.blocks, MAX_BLOCKS, readBlock);
  blocks.forEach((block, i) => {
    const before = blocks[i - 1];
    if (before !== undefined && block.id <= before.id) refuse(fields.blocks, 'blocks in ascending order of id');
  });
  const routing: RoutingInfo = {
    kv: readWord(fields.kv, ['absent', 'project', 'latest']),
    revisit: readWord(fields.revisit, ['overwrite', 'append']),
    maxHops: readInteger(fields.maxHops, 0, MAX_HOPS),
    needsWalk: readBoolean(fields.needsWalk),
    decides: readNullable(fields.decides, (inner) => readWord(inner, ['sweep', 'hop'])),
    threshold: readNumber(fields.threshold, 0, 1),
    anchors: readInteger(fields.anchors, 0, MAX_SIZE),
    ...(fields.weighting.value !== undefined && { weighting: readWord(fields.weighting, ['probability']) }),
    entry: readEdge(entry),
    blocks,
  };
  checkGraph(routing, fields.blocks);
  return routing;
}

function readBlock(field: Field): BlockInfo {
  const fields = readObject(field, ['id', 'role', 'gated', 'successors', 'router']);
  return {
    id: readInteger(fields.id, 0, MAX_ID),
    role: readWord(fields.role, ['attention', 'mlp']),
    gated: readBoolean(fields.gated),
    ...readEdge(fields),
  };
}

function readEdge(fields: { readonly successors: Field; readonly router: Field }): EdgeInfo {
  const successors = readList(fields.successors, MAX_BLOCKS + 1, (item) => {
    return item.value === 'exit' ? 'exit' : readInteger(item, 0, MAX_ID);
  });
  if (successors.length === 0) refuse(fields.successors, 'at least one successor');
  return { successors, router: readNullable(fields.router, (router) => readWord(router, routerKinds)) };
}

/** Successors exist; a program that needs no walk is a straight line. */
function checkGraph({ entry, blocks, needsWalk, decides, maxHops }: RoutingInfo, field: Field): void {
  const known = new Set<number | 'exit'>(['exit', ...blocks.map((block) => block.id)]);
  const edges: readonly EdgeInfo[] = [entry, ...blocks];
  for (const { successors } of edges) {
    const missing = successors.find((successor) => !known.has(successor));
    if (missing !== undefined) refuse({ value: missing, path: field.path }, 'successors that exist');
  }
  const order = [...blocks.map((block) => block.id), 'exit' as const];
  const straight =
    blocks.length <= maxHops && edges.every((edge, i) => edge.router === null && edge.successors[0] === order[i]);
  const isLearned = edges.some(({ router }) => router !== null && router !== 'external');
  if (isLearned !== (decides !== null)) {
    refuse(
      { value: decides, path: 'program.routing.decides' },
      `${isLearned ? 'sweep or hop' : 'null'} for this graph`,
    );
  }
  if (!needsWalk && !straight) refuse({ value: needsWalk, path: 'program.routing.needsWalk' }, 'true for this graph');
}

function readKv(field: Field): KvInfo {
  const names = [
    'slots', 'pageBytes', 'pages', 'pagesPerList', 'lists', 'bytesPerTokenStatic', 'bytesPerTokenWorst',
  ] as const; // prettier-ignore
  const fields = readObject(field, names);
  const size = (name: (typeof names)[number], least = 0): number =>
    readInteger(fields[name], least, Number.MAX_SAFE_INTEGER);
  return {
    slots: size('slots', 1),
    pageBytes: size('pageBytes', 1),
    pages: size('pages'),
    pagesPerList: size('pagesPerList'),
    lists: size('lists'),
    bytesPerTokenStatic: size('bytesPerTokenStatic'),
    bytesPerTokenWorst: size('bytesPerTokenWorst'),
  };
}

interface AbiNeeds {
  readonly task: ProgramInfo['task'];
  readonly shapes: Shapes;
  readonly routing: RoutingInfo;
  readonly memory: Memory;
}

function readAbi(field: Field, { task, shapes, routing, memory }: AbiNeeds): Abi {
  const data = [
    'ids',
    'positions',
    'sequences',
    'pixels',
    'walk',
    'level',
    'hidden',
    'logits',
    'probes',
    'kvProbes',
  ] as const;
  const fields = readObject(field, data);
  const { chunk, headRows, sequences, hidden, outputs, image } = shapes;
  const rows = (rowField: Field, count: number, columns: number): Rows =>
    readRows(rowField, { count, columns, memory });
  const only = (rowField: Field, needed: boolean, count: number, columns: number): Rows | null => {
    if (needed) return rows(rowField, count, columns);
    return readNullable(rowField, (inner) => rows(inner, count, columns));
  };
  const text = task === 'causal-lm';
  const lastBlock = routing.blocks.at(-1)?.id ?? 0;
  const pixels = image === null ? 1 : image.channels * image.height * image.width;
  return {
    ids: only(fields.ids, text, chunk, 1),
    positions: only(fields.positions, sequences > 1, chunk, 1),
    sequences: only(fields.sequences, sequences > 1, chunk, 1),
    pixels: only(fields.pixels, !text, 1, pixels),
    walk: only(fields.walk, routing.needsWalk, chunk, routing.maxHops + 1),
    level: only(
      fields.level,
      routing.blocks.some(({ gated }) => gated),
      1,
      1,
    ),
    hidden: rows(fields.hidden, chunk, hidden),
    logits: rows(fields.logits, headRows, outputs),
    probes: only(fields.probes, false, chunk, PROBE_COLUMNS * (lastBlock + 1)),
    kvProbes: only(fields.kvProbes, false, chunk, KV_PROBE_COLUMNS * (lastBlock + 1)),
  };
}

interface RowsNeeds {
  readonly count: number;
  readonly columns: number;
  readonly memory: Memory;
}

/** Rows that are all inside memory. */
function readRows(field: Field, { count, columns, memory }: RowsNeeds): Rows {
  const fields = readObject(field, ['at', 'rows', 'stride']);
  const at = readInteger(fields.at, 0, memory.bytes);
  const rows = readInteger(fields.rows, count, MAX_SIZE);
  const stride = readInteger(fields.stride, columns, MAX_MEMORY / 4);
  if (at % 4 !== 0) refuse(fields.at, 'a multiple of 4');
  if (at + rows * stride * 4 > memory.bytes) refuse(field, `rows inside the memory of ${memory.bytes} bytes`);
  return { at, rows, stride };
}
