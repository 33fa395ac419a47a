/** @file Invariants 10–15 of networks: what regions take and yield, and what blocks hold. */
import { resultType } from '../network.ts';
import { hubColumns } from '../routers.ts';
import { f32, formatType, i32, sameType } from '../ops/spec.ts';
import type { Block, Network, Op, Region, TensorType } from '../types.ts';
import type { Findings, Subject } from './findings.ts';
import { clip, quote } from './op.ts';
import { namedRegions } from './values.ts';

function isHidden(type: TensorType | undefined, rows: number): boolean {
  return type?.dtype === 'f32' && type.shape.length === 2 && (type.shape[0] === 'tokens' || type.shape[0] === rows);
}

/** 10, 11 */
export function checkRegionTypes(network: Network, findings: Findings): void {
  const { entry, blocks, exit, task, context } = network;
  const isImage = task === 'image-classification';
  const yielded = resultType(entry);
  const hidden = f32('tokens', yielded?.shape[1] ?? 0);
  const positions = i32('tokens');
  const takesImage =
    entry.params.length === 1 && entry.params[0]?.type.dtype === 'f32' && entry.params[0].type.shape.length === 3;
  if (isImage && !takesImage) {
    findings.add(
      { code: 'RC0510', message: `entry takes ${params(entry)}, expected (f32[channels, height, width])` },
      { name: 'entry', span: entry.span },
    );
  }
  if (!isImage) expectParams(entry, [positions, positions], { name: 'entry', span: entry.span }, findings);
  // Without a hidden type to compare with, the rest would only repeat the fault.
  if (yielded === undefined) return;
  if (!isHidden(yielded, isImage ? context : NaN)) {
    const expected = isImage ? `f32[${context}, d]` : 'f32[tokens, d]';
    findings.add(
      { code: 'RC0511', message: `entry yields ${shown(yielded)}, expected ${expected}` },
      { name: 'entry', span: entry.yieldSpan },
    );
    return;
  }
  for (const { id, body } of blocks) {
    const name = `block ^${id}`;
    expectParams(body, [hidden, positions], { name, span: body.span }, findings);
    const type = resultType(body);
    if (type === undefined || sameType(type, hidden)) continue;
    findings.add(
      { code: 'RC0511', message: `${name} yields ${shown(type)}, expected the hidden state ${shown(hidden)}` },
      { name, span: body.yieldSpan },
    );
  }
  checkRouters(network, hidden, findings);
  expectParams(exit, [hidden], { name: 'exit', span: exit.span }, findings);
  const logits = resultType(exit);
  const rows = isImage ? 1 : 'tokens';
  if (logits === undefined || (logits.dtype === 'f32' && logits.shape.length === 2 && logits.shape[0] === rows)) return;
  findings.add(
    { code: 'RC0511', message: `exit yields ${shown(logits)}, expected f32[${rows}, n]` },
    { name: 'exit', span: exit.yieldSpan },
  );
}

/** 10, 11 of gates and hub. */
function checkRouters({ hub, blocks }: Network, hidden: TensorType, findings: Findings): void {
  const expectScores = (region: Region, name: string, columns: readonly [number, number]): void => {
    const type = resultType(region);
    const [least, most] = columns;
    const width = Number(type?.shape[1]);
    if (type === undefined || (sameType(type, f32('tokens', width)) && width >= least && width <= most)) return;
    const expected = least === most ? `f32[tokens, ${least}]` : `f32[tokens, n] with n from ${least} on`;
    findings.add(
      { code: 'RC0511', message: `${name} yields ${shown(type)}, expected ${expected}` },
      { name, span: region.yieldSpan },
    );
  };
  for (const { id, gate } of blocks) {
    if (gate === undefined) continue;
    const name = `gate ^${id}`;
    expectParams(gate, [hidden], { name, span: gate.span }, findings);
    expectScores(gate, name, [1, 1]);
  }
  if (hub === undefined) return;
  expectParams(hub, [hidden, i32('tokens')], { name: 'hub', span: hub.span }, findings);
  expectScores(hub, 'hub', [hubColumns(blocks), Infinity]);
}

function expectParams(region: Region, expected: readonly TensorType[], subject: Subject, findings: Findings): void {
  const matches =
    region.params.length === expected.length &&
    region.params.every(({ type }, i) => {
      const wanted = expected[i];
      return wanted !== undefined && sameType(type, wanted);
    });
  if (matches) return;
  const message = `${subject.name} takes ${params(region)}, expected (${expected.map(formatType).join(', ')})`;
  findings.add({ code: 'RC0510', message }, subject);
}

function params(region: Region): string {
  return clip(`(${region.params.map((param) => formatType(param.type)).join(', ')})`);
}

function shown(type: TensorType): string {
  return clip(formatType(type));
}

/** 12–15 */
export function checkBlocks(network: Network, findings: Findings): void {
  for (const { name, region, role } of namedRegions(network)) {
    const attention = region.ops.filter((op) => op.kind === 'attention');
    const expected = role === 'attention' ? 1 : 0;
    const fault = (message: string, op: Op | undefined): void => {
      findings.add({ code: 'RC0512', message }, { name, span: op?.span ?? region.span });
    };
    if (attention.length !== expected) {
      fault(`${name} has ${attention.length} attention ops, expected ${expected}`, attention.at(expected));
    }
    for (const op of attention) {
      const [rows] = op.type.shape;
      if (rows !== 'tokens') fault(`${name} attends in ${rows ?? 0} rows, expected one for each token`, op);
    }
  }
  for (const block of network.blocks) checkResidual(block, findings);
  checkCausality(network, findings);
  checkProbes(network, findings);
}

/** 13 */
function checkResidual(block: Block, findings: Findings): void {
  const name = `block ^${block.id}`;
  const sums = block.body.ops.filter((op) => op.kind === 'residual' || 'residual' in op.extras);
  const [sum] = sums;
  if (sum === undefined || sums.length > 1) {
    const message = `${name} has ${sums.length} residual sums, expected 1`;
    findings.add({ code: 'RC0513', message }, { name, span: sums[1]?.span ?? block.body.span });
    return;
  }
  const added = residualOperand(sum);
  const input = block.body.params[0]?.name;
  if (added === input) return;
  const message = `the residual sum of ${name} adds to ${quote(added ?? 'nothing')}, expected the block's hidden state ${quote(input ?? '')}`;
  findings.add({ code: 'RC0513', message }, { name: `${name}, ${quote(sum.result)}`, span: sum.span });
}

function residualOperand(op: Op): string | undefined {
  return op.extras['residual'] ?? op.operands[0];
}

/** 14 */
function checkCausality(network: Network, findings: Findings): void {
  const causal = network.task === 'causal-lm';
  for (const { name, region } of namedRegions(network)) {
    for (const op of region.ops) {
      if (op.kind !== 'attention' || typeof op.attrs['causal'] !== 'boolean' || op.attrs['causal'] === causal) continue;
      const message = `attention is ${causal ? 'not causal' : 'causal'}, but the task is ${network.task}`;
      findings.add(
        { code: 'RC0514', message, help: `write \`causal: ${causal}\`` },
        { name: `${name}, ${quote(op.result)}`, span: op.span },
      );
    }
  }
}

/** 15 */
function checkProbes(network: Network, findings: Findings): void {
  const numbers = new Map<Region, number>(network.blocks.map(({ id, body }) => [body, id]));
  const lists = new Set(network.blocks.filter(({ role }) => role === 'attention').map(({ id }) => id));
  const seen = new Set<string>();
  for (const { name, region } of namedRegions(network)) {
    const number = numbers.get(region);
    for (const { kind, attrs, result, span } of region.ops) {
      if (kind !== 'probe') continue;
      const [block, of] = [Number(attrs['block']), attrs['of']];
      const isPlain = of === undefined;
      const key = isPlain ? name : `${block} ${String(of)}`;
      const isPlaced = isPlain ? block === number : number !== undefined && number <= block && lists.has(block);
      if (isPlaced && !seen.has(key)) {
        seen.add(key);
        continue;
      }
      const message = seen.has(key) ? `${name} has a second probe` : `a probe of block ${block} stands in ${name}`;
      const help = number === undefined ? 'probes stand in blocks' : `keep one, with \`block: ${number}\``;
      findings.add({ code: 'RC0519', message, help }, { name: `${name}, ${quote(result)}`, span });
    }
  }
}
