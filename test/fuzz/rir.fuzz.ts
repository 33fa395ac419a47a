/**
 * @file Mutated `.rir` texts of both stages: each is read and verified, or refused with diagnostics; nothing else may
 * happen. What is read prints, and reads back as the same text.
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
import { pipelinePasses, runPasses } from '../../passes/index.ts';
import { Draw } from '../support/draw.ts';
import { errorFiles } from '../support/error-files.ts';
import { randomNetwork } from '../support/random-network.ts';

const runs = Number(process.env['FUZZ_RUNS'] ?? 500_000);
const seed = Number(process.env['FUZZ_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

const codes: ReadonlySet<string> = new Set(Object.keys({ ...textCodes, ...verifyCodes }));

const networks = Array.from({ length: 12 }, (_, i) => randomNetwork(i, { maxBlocks: 1, noise: 0 }));
const valid = [
  ...networks.map(printModule),
  ...networks.map((network, i) => printModule(runPasses(network, pipelinePasses(i % 2 === 0 ? 'O1' : 'O2')).module)),
  ...errorFiles().map(({ text }) => text.replaceAll(/ *\/\/ error: .*/g, '')),
];
/** Small texts are quick, and no less likely to go wrong. */
const bases = valid.sort((a, b) => a.length - b.length).slice(0, 50);

// prettier-ignore
const tokens = [
  '{', '}', '(', ')', '[', ']', ':', ',', '=', '->', '..', '//', '"', '\\', '\n', ' ', '\0', '\u2028', '\ud800', '%', '@', '^', '$', '#',
  '0', '1', '-1', '-0', '0.5', '1e400', '1e-400', '1e21', '9007199254740993', '4294967296', '^0', '^1', '^0..^9', '^9..^0', '^99999999999',
  '%0', '%x', '@w', '@0', '$x', '$x[0..4]', '$x[routed, 0..4]', '#mlp', '%"\\u0000"', '@"__proto__"', '"__proto__"', '__proto__', 'constructor',
  'toString: 1', '{}', '[]', '()', '[1, 2]', '[tokens, 4]', 'f32', 'i32', 'tokens', 'chunk', 'head', 'rows', 'panels', 'network', 'program',
  'const', 'entry', 'block', 'exit', 'yield', 'external', 'attention', 'mlp', 'fill', 'weight', 'buffer', 'kv', 'memory', 'body', 'true', 'NaN',
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

function mutant(draw: Draw): string {
  let text = bases[draw.int(0, bases.length - 1)] ?? '';
  for (let n = draw.pick([1, 1, 2, 3]); n > 0; n--) {
    const unit = draw.int(0, 5);
    if (unit === 0) text = mutate(text.split(/(?<=\n)/), draw);
    else if (unit === 1) text = mutate(text.split(''), draw);
    else text = mutate(text.match(TOKEN) ?? [], draw);
  }
  return text;
}

/** Reads a text; true when it is a module. Throws what is not a diagnostic. */
function read(text: string): boolean {
  try {
    const module = parseModule(text, 'fuzz.rir');
    for (const { code, message } of verifyModule(module)) assert(codes.has(code) && !message.includes('\n'), message);
    const printed = printModule(module);
    assert.equal(printModule(parseModule(printed, 'printed.rir')), printed);
    return true;
  } catch (error) {
    if (!(error instanceof RadialError)) throw error;
    for (const { code, message, place } of error.diagnostics) {
      assert(codes.has(code) && message.length < 400 && !message.includes('\n'), message);
      assert(place?.file === 'fuzz.rir' && (place.line ?? 0) >= 1 && (place.column ?? 0) >= 1, message);
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
    let modules = 0;
    const property = fc.property(fc.noShrink(fc.nat()), (n) => {
      const text = mutant(new Draw(n));
      try {
        if (read(text)) modules++;
      } catch (error) {
        throw new Error(`internal: the text\n${text}`, { cause: error });
      }
    });
    fc.assert(property, { numRuns: runs, seed });
    console.log(`      ${modules} of ${runs} texts were modules`);
  });
});
