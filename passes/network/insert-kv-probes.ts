/**
 * @file Lets attention blocks report how wrong the KV cache would be for tokens that skip (option `kvProbes`): probes of what
 * is right and of what a KV policy leaves instead, taken as negative.
 *
 *     block ^0 attention { …                        block ^0 attention { …
 *       %9 = residual(%x, %8)                 =>      %9 = residual(%x, %8)
 *       yield %9                                      … the mlp blocks behind, k and v of ^2, on %9: %20, %21
 *     }                                               %22 = scale(%k) {by: -1}
 *     block ^1 mlp { … }                              %23 = probe(%20, %22) {block: 2, of: "latest_k"}
 *     block ^2 attention { … }                        … yield %9 }
 *
 * A token that executes attention block p and skips all blocks from there to the next attention block l, l included, leaves
 * at l its k and v of p under `latest`, those that l makes of what left p under `project`. Probes in p compare them with k and
 * v of l where nothing is skipped. Under `absent` others leave nothing: a probe in l compares what leaves it with what would
 * if no token but the own one had an entry there.
 *
 * Only on a straight line of blocks with a `residual` of their own. The mlp blocks between p and l are computed twice.
 */
import { f32, needsWalk, numberAttr, sameType, uses } from '../../ir/index.ts';
import type { Block, KvReport, Local, Network, Op, Ref, Region, TensorType } from '../../ir/index.ts';
import type { NetworkPass } from '../pass.ts';
import { freeLocal, mapSame, replaceReads } from './rewrite.ts';

export const insertKvProbes: NetworkPass = {
  name: 'insert-kv-probes',
  summary: 'Let attention blocks report what KV policies leave of tokens that skip.',
  stage: 'network',
  run: (network, { options }) => {
    const sums = network.blocks.every(({ body }) => body.ops.some(({ kind }) => kind === 'residual'));
    if (options.kvProbes !== true || needsWalk(network) || !sums) return network;
    const blocks = mapSame(network.blocks, (block) => probed(network, block));
    return blocks === network.blocks ? network : { ...network, blocks };
  },
};

function probed({ blocks }: Network, block: Block): Block {
  const { body, id } = block;
  const attention = attentionOf(block);
  if (attention === undefined || body.ops.some(({ attrs }) => attrs['of'] !== undefined)) return block;
  const code = new Extension(body);
  reportAbsent(code, body, attention, id);
  const behind = blocks.slice(blocks.indexOf(block) + 1);
  const next = behind.findIndex(({ role }) => role === 'attention');
  const reached = behind[next];
  if (reached !== undefined) reportNext(code, { body, attention, passed: behind.slice(0, next) }, reached);
  return { ...block, body: code.region };
}

/** What leaves the block where a token sees nothing but its own entry: the average of one v is that v. */
function reportAbsent(code: Extension, { ops, result }: Region, attention: Op, id: number): void {
  const alone = ownValues(code, attention);
  const dependent = new Set<Ref>([attention.result]);
  const behind = ops.filter((op) => {
    const depends = uses(op).some((ref) => dependent.has(ref));
    if (depends) dependent.add(op.result);
    return depends;
  });
  const [out] = code.copy(behind, [result], [[attention.result, alone]]);
  code.report(id, 'absent', result, out);
}

/** The token's v, for each head that of its KV head. */
function ownValues(code: Extension, { operands, attrs, type }: Op): Ref {
  const [, , v = '%'] = operands;
  const [heads, kvHeads] = [numberAttr(attrs, 'heads'), numberAttr(attrs, 'kv_heads')];
  if (heads === kvHeads) return v;
  const [rows = 'tokens', columns] = type.shape;
  const width = Number(columns) / heads;
  const parts = Array.from({ length: kvHeads }, (_, i) =>
    code.add('slice', [v], { axis: 1, from: i * width, to: (i + 1) * width }, f32(rows, width)),
  );
  const ofHeads = parts.flatMap((part) => Array.from({ length: heads / kvHeads }, () => part));
  return code.add('concat', ofHeads, { axis: 1 }, type);
}

interface Skipping {
  readonly body: Region;
  readonly attention: Op;
  /** Blocks on the way to the next attention block. */
  readonly passed: readonly Block[];
}

/** What a token leaves at the next attention block when this block is the last that it executes before. */
function reportNext(code: Extension, { body, attention, passed }: Skipping, next: Block): void {
  const nextAttention = attentionOf(next);
  if (nextAttention === undefined) return;
  const [, position] = body.params;
  const on = (x: Ref, { params }: Region): readonly (readonly [Ref, Ref])[] =>
    params.map(({ name }, i) => [name, i === 0 ? x : (position?.name ?? x)]);
  const run = (x: Ref, { body: inner }: Block): Ref => code.copy(inner.ops, [inner.result], on(x, inner))[0] ?? x;
  const [, ...wanted] = nextAttention.operands;
  const keysAndValues = (x: Ref): readonly Ref[] => code.copy(next.body.ops, wanted, on(x, next.body));
  const right = keysAndValues(passed.reduce(run, body.result));
  const projected = passed.length === 0 ? right : keysAndValues(body.result);
  const latest = attention.operands.slice(1);
  (['k', 'v'] as const).forEach((name, i) => {
    code.report(next.id, `latest_${name}`, right[i], latest[i]);
    code.report(next.id, `project_${name}`, right[i], projected[i]);
  });
}

function attentionOf({ body }: Block): Op | undefined {
  return body.ops.find(({ kind }) => kind === 'attention');
}

/** A region that grows at its end. */
class Extension {
  #region: Region;

  constructor(region: Region) {
    this.#region = region;
  }

  get region(): Region {
    return this.#region;
  }

  add(kind: Op['kind'], operands: readonly Ref[], attrs: Op['attrs'], type: TensorType): Local {
    return this.#push({ kind, operands, extras: {}, attrs, result: '%', type });
  }

  /** Adds those of the ops on which the wanted values depend, with other values in the place of some; what became of the wanted. */
  copy(ops: readonly Op[], wanted: readonly Ref[], given: readonly (readonly [Ref, Ref])[]): readonly Ref[] {
    const made = new Map<Ref, Ref>(given);
    const needed = new Set<Ref>(wanted);
    for (const op of ops.toReversed()) {
      if (needed.has(op.result) && !made.has(op.result)) for (const ref of uses(op)) needed.add(ref);
    }
    const now = (ref: Ref): Ref => made.get(ref) ?? ref;
    for (const op of ops) {
      if (!needed.has(op.result) || made.has(op.result)) continue;
      // A block has one residual sum.
      const copied: Op = { ...replaceReads(op, now), kind: op.kind === 'residual' ? 'add' : op.kind };
      made.set(op.result, this.#push(copied));
    }
    return wanted.map(now);
  }

  /** Compares what is right with what a policy leaves, where these are of one shape. */
  report(block: number, of: KvReport, right: Ref | undefined, left: Ref | undefined): void {
    const [type, other] = [this.#typeOf(right), this.#typeOf(left)];
    if (right === undefined || left === undefined || type === undefined || other === undefined) return;
    if (!sameType(type, other)) return;
    const negative = this.add('scale', [left], { by: -1 }, other);
    this.add('probe', [right, negative], { block, of }, f32(type.shape[0] ?? 'tokens', 3));
  }

  #typeOf(ref: Ref | undefined): TensorType | undefined {
    const { params, ops } = this.#region;
    return (ops.find(({ result }) => result === ref) ?? params.find(({ name }) => name === ref))?.type;
  }

  #push(op: Op): Local {
    const result = freeLocal(this.#region);
    this.#region = { ...this.#region, ops: [...this.#region.ops, { ...op, result }] };
    return result;
  }
}
