/**
 * @file Computes q, k and v of an attention with one linear, whose weight is theirs one under the other.
 *
 *     %1 = linear(%0, @q, bias: @b)           %7 = linear(%0, @attention.0.qkv, bias: @attention.0.qkv_bias)
 *     %2 = linear(%0, @k)                     %1 = slice(%7) {axis: 1, from: 0, to: 64}
 *     %3 = linear(%0, @v)               =>    %2 = slice(%7) {axis: 1, from: 64, to: 80}
 *     %4 = attention(%1, %2, %3)              %3 = slice(%7) {axis: 1, from: 80, to: 96}
 *                                             %4 = attention(%1, %2, %3)
 *
 * The linears may reach the attention through rope. A bias that is missing in some is zeros. Not: linears of different x,
 * with anything fused into them but a bias, some in int8 and some not, that something else reads too, or of which two are the same.
 */
import { constsByName, f32, isGlobal, readsInt8, useCounts } from '../../ir/index.ts';
import type { Block, Const, Global, Network, Op, Ref, Region, TensorType } from '../../ir/index.ts';
import type { NetworkPass } from '../pass.ts';
import { freeGlobal, freeLocal, mapSame, withConsts } from './rewrite.ts';

export const fuseQkv: NetworkPass = {
  name: 'fuse-qkv',
  summary: 'Compute q, k and v with one linear.',
  stage: 'network',
  run: (network) => {
    const joiner = new Joiner(network);
    const blocks = mapSame(network.blocks, (block) => fuseBlock(block, joiner));
    return blocks === network.blocks ? network : withConsts({ ...network, blocks }, joiner.consts());
  },
};

/** A linear that may be joined with others. */
interface Plain {
  readonly op: Op;
  readonly x: Ref;
  readonly weight: Global;
  readonly bias: Global | undefined;
  readonly columns: number;
  readonly int8: boolean;
}

function fuseBlock(block: Block, joiner: Joiner): Block {
  const { body } = block;
  const attention = body.ops.find(({ kind }) => kind === 'attention');
  if (attention === undefined) return block;
  const counts = useCounts(body);
  const ops = new Map<Ref, Op>(body.ops.map((op) => [op.result, op]));
  const readOnce = (ref: Ref | undefined): Op | undefined =>
    ref !== undefined && counts.get(ref) === 1 ? ops.get(ref) : undefined;
  const parts = attention.operands.flatMap((ref) => plainLinear(ref, readOnce) ?? []);
  const [first] = parts;
  const distinct = new Set(parts.map(({ op }) => op)).size === attention.operands.length;
  if (first === undefined || !distinct || parts.some(({ x, int8 }) => x !== first.x || int8 !== first.int8)) {
    return block;
  }
  return { ...block, body: fuseParts(body, parts, joiner.join(parts, `attention.${block.id}.qkv`)) };
}

/** The linear that makes `ref`, directly or through rope, when only this way leads from it. */
function plainLinear(ref: Ref, readOnce: (ref: Ref | undefined) => Op | undefined): Plain | undefined {
  let op = readOnce(ref);
  while (op?.kind === 'rope') op = readOnce(op.operands[0]);
  const [x, weight] = op?.operands ?? [];
  if (op === undefined || x === undefined || weight === undefined) return undefined;
  const { bias, ...others } = op.extras;
  const columns = op.type.shape[1];
  const { weights: _, ...fused } = op.attrs;
  const plain = op.kind === 'linear' && Object.keys({ ...others, ...fused }).length === 0;
  const int8 = readsInt8(op);
  if (!plain || typeof columns !== 'number' || !isGlobal(weight)) return undefined;
  if (bias !== undefined && !isGlobal(bias)) return undefined;
  return { op, x, weight, bias, columns, int8 };
}

/** Weight and bias of a joined linear. */
interface Joined {
  readonly weight: Global;
  readonly bias: Global | undefined;
}

/** The constants, and those that are joined from them. */
class Joiner {
  readonly #consts: Map<Global, Const>;
  /** Vectors of zeros by their size. */
  readonly #zeros = new Map<number, Global>();

  constructor(network: Network) {
    this.#consts = new Map(constsByName(network));
    for (const { name, kind, attrs, type } of network.consts) {
      const [size] = type.shape;
      const isZeros = kind === 'full' && attrs['value'] === 0 && type.shape.length === 1 && typeof size === 'number';
      if (isZeros && !this.#zeros.has(size)) this.#zeros.set(size, name);
    }
  }

  consts(): readonly Const[] {
    return [...this.#consts.values()];
  }

  join(parts: readonly Plain[], stem: string): Joined {
    const rows = parts.reduce((sum, { columns }) => sum + columns, 0);
    const inner = this.#consts.get(parts[0]?.weight ?? '@')?.type.shape[1] ?? 0;
    const weight = this.#concat(
      stem,
      parts.map((part) => part.weight),
      f32(rows, inner),
    );
    if (parts.every(({ bias }) => bias === undefined)) return { weight, bias: undefined };
    const biases = parts.map(({ bias, columns }) => bias ?? this.#zerosOf(columns));
    return { weight, bias: this.#concat(`${stem}_bias`, biases, f32(rows)) };
  }

  #concat(name: string, operands: readonly Global[], type: TensorType): Global {
    return this.#add(name, { kind: 'concat', operands, attrs: { axis: 0 }, type });
  }

  #zerosOf(size: number): Global {
    const zeros =
      this.#zeros.get(size) ??
      this.#add(`zeros.${size}`, { kind: 'full', operands: [], attrs: { value: 0 }, type: f32(size) });
    this.#zeros.set(size, zeros);
    return zeros;
  }

  #add(name: string, constant: Omit<Const, 'name'>): Global {
    const free = freeGlobal(this.#consts, name);
    this.#consts.set(free, { ...constant, name: free });
    return free;
  }
}

/** Puts the joined linear and its slices where the first of the parts was. */
function fuseParts(region: Region, parts: readonly Plain[], { weight, bias }: Joined): Region {
  const [first] = parts;
  if (first === undefined) return region;
  const result = freeLocal(region);
  const rows = first.op.type.shape[0] ?? 1;
  const width = parts.reduce((sum, { columns }) => sum + columns, 0);
  const extras: Op['extras'] = bias === undefined ? {} : { bias };
  const { attrs } = first.op;
  const joined: Op = { kind: 'linear', operands: [first.x, weight], extras, attrs, result, type: f32(rows, width) };
  let from = 0;
  const slices = parts.map(({ op, columns }): Op => {
    const attrs = { axis: 1, from, to: from + columns };
    from += columns;
    return { kind: 'slice', operands: [result], extras: {}, attrs, result: op.result, type: op.type };
  });
  const old = new Set(parts.map(({ op }) => op));
  const at = region.ops.findIndex((op) => old.has(op));
  const rest = (ops: readonly Op[]): readonly Op[] => ops.filter((op) => !old.has(op));
  return { ...region, ops: [...rest(region.ops.slice(0, at)), joined, ...slices, ...rest(region.ops.slice(at))] };
}
