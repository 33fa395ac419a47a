/**
 * @file Says whether a kernel program is valid. Kernel passes and targets rely on these invariants.
 *
 *  1. Context, hop cap, chunk, rows of logits and sequences are whole numbers of at least 1, and not absurdly large (see
 *     limits.ts); there are at most as many rows of logits and sequences as the chunk has tokens, and in a chunk as the
 *     context has. An image is one chunk, with one row of logits, and the only sequence. (RC0501)
 *  2. Blocks have distinct whole numbers up to 32,767 and stand in ascending order. (RC0502)
 *  3. Constants are valid as in a network; constants, weights, buffers, bodies and the formals of a body have distinct
 *     names. (RC0503 to RC0509)
 *  4. A weight is a constant of its shape; panels and int8 are made of a matrix. (RC0520)
 *  5. Buffers have whole numbers of rows and columns, at least 1 each. (RC0521)
 *  6. A kernel has the inputs, the output and the attributes that the kernel table says. (RC0522, RC0507)
 *  7. Views lie inside their buffers, which hold numbers of the right kind; ids and positions are those of the chunk, in
 *     `$ids`, `$pos` and `$hop`; kernels read only weights that are formals of their body. (RC0523)
 *  8. The columns of a kernel's views and the shapes of its weights fit together. (RC0524)
 *  9. Scratch is written before it is read, in each run of a body anew, and in the same rows; so is state, but for the
 *     hidden state and what else control code or caller have written for the body. (RC0525)
 * 10. A kernel's output lies over an input only where the kernel table allows it, and then exactly. (RC0526)
 * 11. The body of an attention block appends once, then attends once; under policy `project` its fill appends once, at
 *     its end. Other bodies do neither. (RC0527) Attention is causal exactly in language models. (RC0514)
 * 12. Entry, blocks, gates, hub and exit use a body with as many weights as it has formals, each of the formal's shape and layout.
 *     (RC0528)
 * 13. Attention blocks have lists of the KV cache, numbered from 0 in order of the blocks; the KV plan agrees with them,
 *     and has room for whatever the hop cap, the policies and the edges allow. (RC0529)
 * 14. Edges are as in a network; blocks that an oracle looks at have probes. (RC0515 to RC0518, RC0534 to RC0536, RC0539,
 *     RC0540)
 * 15. Either nothing has an address, or everything has: aligned, inside its region, and apart from all that lives at the
 *     same time. (RC0530)
 * 16. The buffers by which the caller, the control code and the bodies talk are there, each in its form. (RC0532)
 * 17. A table that positions select rows of has rows for the whole context, one that ids select rows of at least one.
 *     (RC0531)
 * 18. A kernel's views, and a weight with a row for each row, have rows for all that it computes; what makes a number of
 *     rows of its own writes to a buffer with no more of them. (RC0533)
 * 19. A block prepares the score of no gate but that of its edge's first successor, which then has a finish; a finish has a
 *     gate beside it. (RC0537)
 * 20. A trace has two blocks at least, each a successor of the one before; no block is in two traces, or twice in one.
 *     (RC0538)
 * 21. Where routers weigh, the body of each block has one kernel with a probability, that of its row in `$probability`;
 *     no other code has any. (RC0541)
 * 22. No attend reads an entry of a KV list that nobody has written: see kernel-entries.ts. (RC0542)
 * 23. A body writes all of what is read when it has run: the entry the hidden state, the exit logits, gates and hub scores,
 *     a block that prepares a score what its finish needs. (RC0543)
 */
import { RadialError } from '../diagnostics/diagnostic.ts';
import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import type { BlockInstance, Instance, KernelProgram, Weight } from '../kernel/types.ts';
import { sameShape } from '../ops/spec.ts';
import type { BlockId, Global, SourceSpan, Successor } from '../types.ts';
import { Findings } from './findings.ts';
import { checkBodies } from './kernel-bodies.ts';
import { checkBuffers, checkState } from './kernel-buffers.ts';
import { checkKv } from './kernel-kv.ts';
import { checkMemory } from './kernel-memory.ts';
import { checkRows } from './kernel-rows.ts';
import { quote } from './op.ts';
import { checkLookedAt } from './oracle.ts';
import { checkEdges } from './routes.ts';
import { checkWeighting } from './kernel-weighting.ts';
import { checkKernelTables } from './tables.ts';
import { checkBlockOrder, checkConsts, checkHeader } from './values.ts';

/** Everything that is wrong with the program; empty when it is valid. */
export function verifyKernelProgram(program: KernelProgram): readonly Diagnostic[] {
  const findings = new Findings();
  checkHeader(program, findings); // 1
  checkCounts(program, findings); // 1
  checkBlockOrder(program.blocks, findings); // 2
  const consts = checkConsts(program.consts, program.context, findings); // 3
  checkNames('weight', program.weights, findings); // 3
  checkNames('buffer', program.buffers, findings); // 3
  checkNames(
    'body',
    program.bodies.map(({ name, span }) => ({ name: `#${name}`, ...(span && { span }) })),
    findings,
  ); // 3
  for (const weight of program.weights) checkWeight(weight, consts.get(weight.name)?.shape, findings); // 4
  checkBuffers(program, findings); // 5
  checkBodies(program, findings); // 6–11, 22, 23
  checkInstances(program, findings); // 12
  checkKv(program, findings); // 13
  checkEdges(program, findings); // 14
  checkLookedAt(program, findings); // 14
  checkScores(program, findings); // 19
  checkTraces(program, findings); // 20
  checkWeighting(program, findings); // 21
  checkMemory(program, findings); // 15
  checkState(program, findings); // 16
  checkKernelTables(program, findings); // 17
  checkRows(program, findings); // 18
  return findings.list();
}

/** Throws a `RadialError` with everything that is wrong; `file` is where the program was read from. */
export function checkKernelProgram(program: KernelProgram, file?: string): void {
  const diagnostics = verifyKernelProgram(program);
  if (diagnostics.length === 0) return;
  throw new RadialError(
    diagnostics.map((diagnostic) =>
      file === undefined ? diagnostic : { ...diagnostic, place: { file, ...diagnostic.place } },
    ),
  );
}

/** 1 */
function checkCounts({ task, context, chunk, headRows, sequences, span }: KernelProgram, findings: Findings): void {
  const isImage = task === 'image-classification';
  for (const [name, value, least, most] of [
    ['chunk', chunk, isImage ? context : 1, context],
    ['head_rows', headRows, 1, isImage ? 1 : chunk],
    ['sequences', sequences, 1, isImage ? 1 : chunk],
  ] as const) {
    if (Number.isInteger(value) && value >= least && value <= most) continue;
    const expected = least === most ? `${most}` : `a whole number from ${least} to ${most}`;
    findings.add({ code: 'RC0501', message: `${name} is ${value}, expected ${expected}` }, { name: 'header', span });
  }
}

/** 3 */
function checkNames(
  what: string,
  nodes: readonly { readonly name: string; readonly span?: SourceSpan }[],
  findings: Findings,
): void {
  const seen = new Set<string>();
  for (const { name, span } of nodes) {
    if (seen.has(name)) {
      findings.add(
        { code: 'RC0503', message: `${quote(name)} is defined twice` },
        { name: `${what} ${quote(name)}`, span },
      );
    }
    seen.add(name);
  }
}

/** 4 */
function checkWeight(
  { name, shape, layout, span }: Weight,
  constant: readonly (number | 'tokens')[] | undefined,
  findings: Findings,
): void {
  const subject = { name: `weight ${quote(name)}`, span };
  if (constant === undefined) findings.add({ code: 'RC0520', message: `there is no constant ${quote(name)}` }, subject);
  else if (!sameShape(constant, shape)) {
    findings.add(
      { code: 'RC0520', message: `the weight has shape [${shape.join(', ')}], its constant [${constant.join(', ')}]` },
      subject,
    );
  }
  if (layout !== 'rows' && shape.length !== 2) {
    findings.add({ code: 'RC0520', message: `${layout} are made of a matrix, not of rank ${shape.length}` }, subject);
  }
}

/** 19 */
function checkScores({ blocks }: KernelProgram, findings: Findings): void {
  const byId = new Map<Successor, BlockInstance>(blocks.map((block) => [block.id, block]));
  for (const { id, scores, finish, gate, edge, span } of blocks) {
    const subject = { name: `block ^${id}`, span };
    if (finish !== undefined && gate === undefined) {
      findings.add(
        { code: 'RC0537', message: `block ^${id} has a finish, but no gate`, help: 'leave the finish out' },
        subject,
      );
    }
    if (scores === undefined) continue;
    const isNext = edge.router?.kind === 'gate' && edge.successors[0] === scores;
    if (isNext && byId.get(scores)?.finish !== undefined) continue;
    const message = isNext
      ? `block ^${id} scores ^${scores}, which has no finish`
      : `block ^${id} scores ^${scores}, which is not the first behind a gate edge of its own`;
    findings.add({ code: 'RC0537', message, help: 'fuse-router makes all of it' }, subject);
  }
}

/** 20 */
function checkTraces({ blocks, traces = [] }: KernelProgram, findings: Findings): void {
  const successors = new Map(blocks.map(({ id, edge }) => [id, edge.successors]));
  const seen = new Set<BlockId>();
  for (const { blocks: ids, span } of traces) {
    const fault = (message: string): void => {
      findings.add(
        { code: 'RC0538', message, help: 'form-traces makes them' },
        { name: `trace ^${ids[0] ?? ''}`, span },
      );
    };
    if (ids.length < 2) fault('a trace has two blocks at least');
    for (const [i, id] of ids.entries()) {
      const next = ids[i + 1];
      if (!successors.has(id)) fault(`there is no block ^${id}`);
      else if (seen.has(id)) fault(`^${id} is in a trace already`);
      else if (next !== undefined && successors.get(id)?.includes(next) === false) {
        fault(`^${id} does not lead to ^${next}`);
      }
      seen.add(id);
    }
  }
}

/** 12 */
function checkInstances({ entry, hub, blocks, exit, bodies, weights }: KernelProgram, findings: Findings): void {
  const formals = new Map(bodies.map((body) => [body.name, body.formals]));
  const actual = new Map<Global, Weight>(weights.map((weight) => [weight.name, weight]));
  const check = (name: string, { body, args, span }: Instance): void => {
    const wanted = formals.get(body);
    const fault = (message: string): void => {
      findings.add({ code: 'RC0528', message }, { name, span });
    };
    if (wanted === undefined) {
      fault(`${name} uses ${quote(`#${body}`)}, which does not exist`);
      return;
    }
    if (args.length !== wanted.length) {
      fault(`${quote(`#${body}`)} is given ${args.length} weights, expected ${wanted.length}`);
    }
    for (const [i, formal] of wanted.entries()) {
      const arg = args[i];
      const weight = arg === undefined ? undefined : actual.get(arg);
      if (arg === undefined) continue;
      if (weight === undefined) fault(`${quote(arg)} is not a weight`);
      else if (weight.layout !== formal.layout || !sameShape(weight.shape, formal.shape)) {
        fault(
          `${quote(arg)} is ${weight.layout}[${weight.shape.join(', ')}], but ${formal.name} ${formal.layout}[${formal.shape.join(', ')}]`,
        );
      }
    }
  };
  check('entry', entry);
  if (hub !== undefined) check('hub', hub);
  for (const block of blocks) {
    if (block.gate !== undefined) check(`gate ^${block.id}`, block.gate);
    if (block.finish !== undefined) check(`finish ^${block.id}`, block.finish);
    check(`block ^${block.id}`, block);
  }
  check('exit', exit);
}
