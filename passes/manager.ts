/**
 * @file Runs passes one after the other: verifies after each, times it, counts, dumps, stops and resumes where asked.
 */
import { fail, nearest, printModule, RadialError, regions, verifyModule } from '../ir/index.ts';
import type { Module, Pass, PassContext, PassOptions } from './pass.ts';

export interface ManagerOptions {
  /** What the passes read. */
  readonly options?: PassOptions | undefined;
  /** Ends after this pass: its number in the list, from 1 on (0: none runs), or its name. */
  readonly stopAfter?: number | string | undefined;
  /** Begins after this pass: the module is one that was dumped there. */
  readonly startAfter?: number | string | undefined;
  /** Receives the text before the first pass (its number less 1, `input`) and after each. */
  readonly dump?: ((n: number, passName: string, text: string) => void) | undefined;
  /** Passes after which `print` receives the text; `all` for every pass. */
  readonly printAfter?: readonly string[] | undefined;
  readonly print?: ((passName: string, text: string) => void) | undefined;
}

/** What a module consists of. */
export interface ModuleSize {
  readonly blocks: number;
  /** Ops of all regions; kernels of all bodies. */
  readonly ops: number;
  readonly consts: number;
}

export interface PassReport {
  readonly n: number;
  readonly name: string;
  /** The module is another one than before. */
  readonly changed: boolean;
  /** Of the pass itself, without verification. */
  readonly milliseconds: number;
  readonly before: ModuleSize;
  readonly after: ModuleSize;
}

export interface PassesResult {
  readonly module: Module;
  readonly reports: readonly PassReport[];
}

/**
 * Runs `passes` on a module of either stage.
 * @throws RadialError what the verifier finds in the input; RC0602 to RC0604; RC0606 and RC07xx of passes
 */
export function runPasses(module: Module, passes: readonly Pass[], manager: ManagerOptions = {}): PassesResult {
  const { options = {}, dump, printAfter = [], print } = manager;
  const first = placeOf(passes, manager.startAfter, 0);
  const last = placeOf(passes, manager.stopAfter, passes.length);
  const printed = printAfter.includes('all') ? passes.map(({ name }) => name) : printAfter;
  checkInput(module);
  dump?.(first, 'input', printModule(module));
  const reports: PassReport[] = [];
  let current = module;
  for (const [index, pass] of passes.slice(first, last).entries()) {
    const n = first + index + 1;
    const started = performance.now();
    const next = apply(pass, current, { options });
    const milliseconds = performance.now() - started;
    checkOutput(pass, current, next);
    reports.push({
      n,
      name: pass.name,
      changed: next !== current,
      milliseconds,
      before: sizeOf(current),
      after: sizeOf(next),
    });
    current = next;
    dump?.(n, pass.name, printModule(current));
    if (printed.includes(pass.name)) print?.(pass.name, printModule(current));
  }
  return { module: current, reports };
}

function sizeOf(module: Module): ModuleSize {
  const { blocks, consts } = module;
  const ops =
    module.stage === 'network'
      ? regions(module).reduce((sum, region) => sum + region.ops.length, 0)
      : module.bodies.reduce((sum, { kernels, fill }) => sum + kernels.length + fill.length, 0);
  return { blocks: blocks.length, ops, consts: consts.length };
}

/** How many passes of the list come before the place that `wanted` names. */
function placeOf(passes: readonly Pass[], wanted: number | string | undefined, otherwise: number): number {
  if (wanted === undefined) return otherwise;
  if (typeof wanted === 'number') {
    if (Number.isInteger(wanted) && wanted >= 0 && wanted <= passes.length) return wanted;
    return fail('RC0604', `there is no pass number ${wanted}`, { help: `the list has ${passes.length} passes` });
  }
  const at = passes.findLastIndex(({ name }) => name === wanted);
  if (at >= 0) return at + 1;
  const names = passes.map(({ name }) => name);
  const meant = nearest(wanted, names);
  return fail('RC0604', `the list of passes has no ${JSON.stringify(wanted)}`, {
    help: meant === undefined ? `it has ${names.join(', ')}` : `did you mean ${meant}?`,
  });
}

function apply(pass: Pass, module: Module, context: PassContext): Module {
  if (pass.stage === 'kernel') {
    if (module.stage === 'kernel') return pass.run(module, context);
    return fail('RC0602', `${pass.name} works on kernels, but the module is a network`, {
      help: 'run lower before it',
    });
  }
  if (module.stage === 'network') return pass.run(module, context);
  return fail('RC0602', `${pass.name} works on a network, but the module is lowered to kernels`, {
    help: 'leave out lower and the passes before it',
  });
}

function checkInput(module: Module): void {
  const errors = verifyModule(module).filter(({ severity }) => severity === 'error');
  if (errors.length > 0) throw new RadialError(errors);
}

function checkOutput(pass: Pass, before: Module, after: Module): void {
  if (after === before) return;
  const [first, ...others] = verifyModule(after).filter(({ severity }) => severity === 'error');
  if (first === undefined) return;
  const subject = first.place?.subject === undefined ? '' : ` in ${first.place.subject}`;
  const more = others.length === 0 ? '' : ` (and ${others.length} more)`;
  fail('RC0603', `after ${pass.name} the module is invalid: ${first.message}${subject} [${first.code}]${more}`, {
    place: { subject: `pass ${pass.name}` },
    help: `this is a bug of radialc; please report it with the module after the pass:\n\n${printModule(after)}`,
  });
}
