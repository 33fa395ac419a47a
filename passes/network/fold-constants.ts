/**
 * @file Moves ops on constants to the constants, where they are evaluated once, when the program is built.
 *
 *     %0 = scale(@w) {by: 2}            const @folded = scale(@w) {by: 2}
 *     %1 = linear(%x, %0)        =>     %1 = linear(%x, @folded)
 *
 * Only ops that the table allows in constants. Not: an op whose result the region yields.
 */
import { isGlobal, opSpecs } from '../../ir/index.ts';
import type { Const, Global, Op, Ref, Region } from '../../ir/index.ts';
import type { NetworkPass } from '../pass.ts';
import { globalNamer, mapRegions, replaceReads, withConsts } from './rewrite.ts';

export const foldConstants: NetworkPass = {
  name: 'fold-constants',
  summary: 'Evaluate ops on constants when the program is built.',
  stage: 'network',
  run: (network) => {
    const consts = new Map(network.consts.map((constant) => [constant.name, constant]));
    const freeName = globalNamer(consts, 'folded');
    const folded = mapRegions(network, (region) => foldRegion(region, consts, freeName));
    return consts.size === network.consts.length ? network : withConsts(folded, [...consts.values()]);
  },
};

/** Adds what it folds to `consts`. */
function foldRegion(region: Region, consts: Map<Global, Const>, freeName: () => Global): Region {
  const names = new Map<Ref, Global>();
  const ops: Op[] = [];
  for (const original of region.ops) {
    const op = replaceReads(original, (ref) => names.get(ref) ?? ref);
    const operands = op.operands.filter(isGlobal);
    const folds =
      opSpecs[op.kind].place === 'any' && operands.length === op.operands.length && op.result !== region.result;
    if (folds) {
      const name = freeName();
      consts.set(name, { name, kind: op.kind, operands, attrs: op.attrs, type: op.type });
      names.set(op.result, name);
    } else {
      ops.push(op);
    }
  }
  return names.size === 0 ? region : { ...region, ops };
}
