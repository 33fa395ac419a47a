/**
 * @file Mutated `.rir` texts of both stages: each is read and verified, or refused with diagnostics; nothing else may
 * happen. What is read prints, and reads back as the same text. What is valid goes through passes, which make another
 * valid module of it, or refuse it with diagnostics too.
 *
 * `FUZZ_RUNS` is the number of texts (500,000 if not set), `FUZZ_SEED` repeats a run.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import { textCodes, verifyCodes } from '../../ir/codes.ts';
import { RadialError } from '../../ir/diagnostics/diagnostic.ts';
import { kernelKinds } from '../../ir/kernel/table.ts';
import { opKinds } from '../../ir/ops/table.ts';
import { parseModule } from '../../ir/text/parse.ts';
import { printModule } from '../../ir/text/print.ts';
import { verifyModule } from '../../ir/verify/module.ts';
import { passCodes, pipelinePasses, runPasses } from '../../passes/index.ts';
import type { Module, OptimisationLevel, PassOptions } from '../../passes/index.ts';
import { Draw } from '../support/draw.ts';
import { errorFiles } from '../support/error-files.ts';
import { randomNetwork } from '../support/random-network.ts';

const runs = Number(process.env['FUZZ_RUNS'] ?? 500_000);
const seed = Number(process.env['FUZZ_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

const codes: ReadonlySet<string> = new Set(Object.keys({ ...textCodes, ...verifyCodes }));

const networks = Array.from({ length: 18 }, (_, i) =>
  randomNetwork(i, i < 12 ? { maxBlocks: 1, noise: 0 } : { maxBlocks: 3, noise: 0.3 }),
);
const sound = [
  ...networks.map(printModule),
  ...networks.map((network, i) => {
    const passes = pipelinePasses(i % 2 === 0 ? 'O1' : 'O2');
    return printModule(runPasses(network, passes, i % 3 === 0 ? { stopAfter: 'lower' } : {}).module);
  }),
];
/** Small texts are quick, and no less likely to go wrong. */
const bases = [...sound, ...errorFiles().map(({ text }) => text.replaceAll(/ *\/\/ error: .*/g, ''))]
  .sort((a, b) => a.length - b.length)
  .slice(0, 50);

// prettier-ignore
const tokens = [
  '{', '}', '(', ')', '[', ']', ':', ',', '=', '->', '..', '//', '"', '\\', '\n', ' ', '\0', '\u2028', '\ud800', '%', '@', '^', '$', '#',
  '0', '1', '-1', '-0', '0.5', '1e400', '1e-400', '1e21', '9007199254740993', '4294967296', '^0', '^1', '^0..^9', '^9..^0', '^99999999999',
  '%0', '%x', '@w', '@0', '$x', '$x[0..4]', '$x[routed, 0..4]', '#mlp', '%"\\u0000"', '@"__proto__"', '"__proto__"', '__proto__', 'constructor',
  'toString: 1', '{}', '[]', '()', '[1, 2]', '[tokens, 4]', 'f32', 'i32', 'tokens', 'chunk', 'head', 'rows', 'panels', 'int8', 'network', 'program',
  'const', 'entry', 'block', 'exit', 'yield', 'external', 'gate', 'hub', 'threshold', 'weighting: "probability"', 'attention', 'mlp', 'fill', 'weight', 'buffer', 'kv', 'memory', 'body', 'true', 'NaN',
  ' : f32[4] ', 'bias: @b', 'residual: %x', '{axis: 0}', '{at: 64}', '{list: 0}', ...opKinds, ...kernelKinds,
] as const;

const TOKEN = /"(?:[^"\\\n]|\\.)*"|[%@^$#]?[\w.-]+|\s+|[^]/g;

/** Some parts of a list replaced, repeated, left out or exchanged. */
function mutate(parts: readonly string[], draw: Draw): string {
  const at = draw.int(0, Math.max(0, parts.length - 1));
  const length = draw.chance(0.8) ? 1 : draw.int(1, 12);
  const [before, hit, after] = [parts.slice(0, at), parts.slice(at, at + length), parts.slice(at + length)];
  const other = draw.int(0, Math.max(0, parts.length - 1));
  const inserted = [
    [],
    [draw.pick(tokens)],
    [...hit, draw.pick(tokens)],
    [...hit, ...hit],
    parts.slice(other, other + length),
    [...hit, ...parts.slice(other, other + length)],
    hit.map((part) => part.toUpperCase()),
    hit.toReversed(),
  ];
  return [...before, ...(inserted[draw.int(0, inserted.length - 1)] ?? []), ...after].join('');
}

const words: ReadonlySet<string> = new Set([...opKinds, ...kernelKinds]);

/** Parts of one kind may stand for each other: names of one sigil, numbers, operations. */
function kindOf(part: string): string | undefined {
  if (/^[%@$^]/.test(part)) return part.charAt(0);
  return /^\d/.test(part) ? 'number' : words.has(part) ? 'operation' : undefined;
}

/** A sound text in which some parts are replaced by others of their kind: often it is still a valid module. */
function gentleMutant(draw: Draw): string {
  const parts = sound[draw.int(0, sound.length - 1)]?.match(TOKEN) ?? [];
  const result = [...parts];
  for (let n = draw.pick([1, 1, 2, 4]); n > 0; n--) {
    const at = draw.int(0, parts.length - 1);
    const kind = kindOf(parts[at] ?? '');
    const others = kind === undefined ? [] : parts.filter((part) => kindOf(part) === kind);
    const other = others[draw.int(0, others.length - 1)];
    if (other !== undefined) result[at] = other;
  }
  return result.join('');
}

function mutant(draw: Draw): string {
  if (draw.chance(0.05)) return gentleMutant(draw);
  let text = bases[draw.int(0, bases.length - 1)] ?? '';
  for (let n = draw.pick([1, 1, 2, 3]); n > 0; n--) {
    const unit = draw.int(0, 5);
    if (unit === 0) text = mutate(text.split(/(?<=\n)/), draw);
    else if (unit === 1) text = mutate(text.split(''), draw);
    else text = mutate(text.match(TOKEN) ?? [], draw);
  }
  return text;
}

/** Reads a text; undefined when it is no module. Throws what is not a diagnostic. */
function read(text: string): Module | undefined {
  try {
    const module = parseModule(text, 'fuzz.rir');
    const printed = printModule(module);
    assert.equal(printModule(parseModule(printed, 'printed.rir')), printed);
    return module;
  } catch (error) {
    if (!(error instanceof RadialError)) throw error;
    for (const { code, message, place } of error.diagnostics) {
      assert(codes.has(code) && message.length < 400 && !message.includes('\n'), message);
      assert(place?.file === 'fuzz.rir' && (place.line ?? 0) >= 1 && (place.column ?? 0) >= 1, message);
    }
    return undefined;
  }
}

/** True for a valid module. */
function isValid(module: Module): boolean {
  const found = verifyModule(module);
  for (const { code, message } of found) assert(codes.has(code) && !message.includes('\n'), message);
  return found.length === 0;
}

function drawOptions(draw: Draw): PassOptions {
  return {
    route: draw.pick([undefined, 'external', 'sequential']),
    kv: draw.pick([undefined, 'absent', 'project', 'latest']),
    revisit: draw.pick([undefined, 'overwrite', 'append']),
    maxHops: draw.pick([undefined, 1, 3, 65_536]),
    chunk: draw.pick([undefined, 1, 3]),
    probes: draw.chance(0.3),
    kvProbes: draw.chance(0.2),
  };
}

/** Sends a valid module through a pipeline; true when it comes out. Throws what is not a diagnostic, or says of a bug. */
function run(module: Module, draw: Draw): boolean {
  const passes = pipelinePasses(draw.pick<OptimisationLevel>(['O0', 'O1', 'O2', 'O2']));
  const start = module.stage === 'kernel' ? { startAfter: 'lower' } : {};
  try {
    runPasses(module, passes, { ...start, options: drawOptions(draw) });
    return true;
  } catch (error) {
    if (!(error instanceof RadialError)) throw error;
    for (const { code, message } of error.diagnostics) {
      assert(Object.hasOwn(passCodes, code) && code !== 'RC0603', `${code} ${message}`);
    }
    return false;
  }
}

describe('fuzzing the text form', () => {
  // Most texts end in an exception; where it was thrown is of interest only when it is not a diagnostic.
  const { stackTraceLimit } = Error;
  before(() => (Error.stackTraceLimit = 4));
  after(() => (Error.stackTraceLimit = stackTraceLimit));

  it(`ends in modules or diagnostics: ${runs} texts, seed ${seed}`, function () {
    this.timeout(0);
    const counts = { modules: 0, valid: 0, compiled: 0 };
    const property = fc.property(fc.noShrink(fc.nat()), (n) => {
      const draw = new Draw(n);
      const text = mutant(draw);
      try {
        const module = read(text);
        if (module === undefined) return;
        counts.modules++;
        if (!isValid(module)) return;
        counts.valid++;
        if (run(module, draw)) counts.compiled++;
      } catch (error) {
        throw new Error(`internal: the text\n${text}`, { cause: error });
      }
    });
    fc.assert(property, { numRuns: runs, seed });
    const { modules, valid, compiled } = counts;
    console.log(
      `      ${modules} of ${runs} texts were modules, ${valid} of these valid, ${compiled} went through passes`,
    );
  });
});
