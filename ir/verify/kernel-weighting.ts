/** @file Invariant 21 of kernel programs: branches are scaled by what routers say of their rows, where routers weigh. */
import { probabilityView } from '../kernel/control.ts';
import { isView } from '../kernel/types.ts';
import type { Kernel, KernelProgram, View } from '../kernel/types.ts';
import { isWeighted } from '../routers.ts';
import type { Findings } from './findings.ts';
import { quote } from './op.ts';

/** 21 */
export function checkWeighting(program: KernelProgram, findings: Findings): void {
  const ofBlocks = new Set(program.blocks.map(({ body }) => body));
  const weighs = isWeighted(program);
  for (const { name, kernels, fill, span } of program.bodies) {
    const subject = { name: `body ${quote(`#${name}`)}`, span };
    const fault = (message: string, help: string): void => findings.add({ code: 'RC0541', message, help }, subject);
    const scaling = kernels.filter(scales);
    const expected = weighs && ofBlocks.has(name) ? 1 : 0;
    if (scaling.length !== expected) {
      const help = weighs ? 'lower makes one for each residual sum' : 'routers weigh under `weighting: "probability"`';
      fault(`kernels with a probability: ${scaling.length}, expected ${expected}`, help);
    }
    if (fill.some(scales)) fault('its fill has a probability', 'leave it out: a fill adds no branch');
    if (!scaling.every(({ inputs: { probability } }) => probability !== undefined && isOwn(probability))) {
      fault('a probability is not that of the row', 'write `probability: $probability[routed, 0..1]`');
    }
  }
}

function scales({ inputs }: Kernel): boolean {
  return Object.hasOwn(inputs, 'probability');
}

function isOwn(input: Kernel['inputs'][string]): boolean {
  return (
    isView(input) &&
    (Object.keys(probabilityView) as (keyof View)[]).every((key) => input[key] === probabilityView[key])
  );
}
