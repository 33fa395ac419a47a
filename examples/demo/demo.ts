/**
 * @file `npm run demo`: compiles the bundled models, the dense one and the one with gates that was trained on from it, lets both
 * write, and says what the gates save and what they cost.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createColors } from 'picocolors';
import { compile } from '../../compiler/index.ts';
import type { Compiled } from '../../compiler/index.ts';
import { evaluateModel } from '../../compiler/routing/index.ts';
import type { Evaluation } from '../../compiler/routing/index.ts';
import { load } from '../../runtime/index.ts';
import type { RadialModel } from '../../runtime/index.ts';
import { isHeldOut, readAddresses } from '../sotu-opt/corpus.ts';

const [denseCheckpoint, gatedCheckpoint] = ['../sotu-opt/', '../sotu-radial/'].map((folder) =>
  fileURLToPath(new URL(folder, import.meta.url)),
) as [string, string];
const prompt = 'The people of the United States';
/** Of the held-out address that both models predict. */
const [YEAR, CHARACTERS] = [1950, 12_000];
const ROUNDS = 15;
const colors = createColors(process.stdout.isTTY || process.env['FORCE_COLOR'] !== undefined);
const shades = [colors.blue, colors.cyan, colors.green, colors.yellow, colors.red] as const;

function title(text: string): void {
  console.log(`\n${colors.bold(text)}`);
}

/** Passes that changed something, with what they did. */
function printPasses({ metafile }: Compiled): void {
  const { passes, stages, wasmBytes, weightBytes, kernels } = metafile;
  for (const { name, changed, milliseconds, before, after } of passes) {
    if (changed) {
      console.log(
        `  ${name.padEnd(22)} ${milliseconds.toFixed(1).padStart(6)} ms   ${before.ops} → ${after.ops} operations`,
      );
    }
  }
  const unchanged = passes.filter(({ changed }) => !changed).map(({ name }) => name);
  console.log(colors.dim(`  nothing to do: ${[...new Set(unchanged)].join(', ')}`));
  const total = Object.values(stages).reduce((sum, ms) => sum + ms, 0);
  console.log(
    `  ${kernels} kernels in a model.wasm of ${(wasmBytes / 1e3).toFixed(1)} KB, ${(weightBytes / 1e6).toFixed(1)} MB of weights, ` +
      `${(total / 1e3).toFixed(1)} s in all`,
  );
}

/** The colour of a share of the blocks: few are blue, all are red. */
function shadeOf(share: number): (text: string) => string {
  return shades[Math.min(shades.length - 1, Math.floor(share * shades.length))] ?? colors.red;
}

/** Streams text coloured by depth. */
async function write(model: RadialModel): Promise<void> {
  const blocks = model.info.routing.blocks.length;
  const depths: number[] = [];
  process.stdout.write(`  ${colors.dim(prompt)}`);
  for await (const { text, depth } of model.generate(prompt, {
    maxNewTokens: 96,
    temperature: 0.6,
    topK: 20,
    seed: 6,
  })) {
    depths.push(depth);
    process.stdout.write(shadeOf(depth / blocks)(text.replaceAll('\n', '\n  ')));
  }
  const mean = depths.reduce((sum, depth) => sum + depth, 0) / depths.length;
  console.log(`\n\n  depth of each token: ${depths.slice(0, 24).join(' ')} …`);
  console.log(`  mean depth ${mean.toFixed(1)} of ${blocks} blocks`);
}

/** Milliseconds to decode a token, of each model; the median of several rounds, in turns. */
async function timeOf(models: readonly RadialModel[]): Promise<readonly number[]> {
  const ids = (await models[0]?.encode(`${prompt} `.repeat(12)))?.slice(0, 96) ?? [];
  const times = models.map((): number[] => []);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [i, model] of models.entries()) {
      const started = performance.now();
      await model.forward(ids, { mode: 'decode' });
      times[i]?.push((performance.now() - started) / ids.length);
    }
  }
  return times.map((samples) => samples.sort((a, b) => a - b)[Math.floor(ROUNDS / 2)] ?? 0);
}

/** How well the model with gates predicts a text that neither model has seen, beside the dense one. */
async function predict(gated: RadialModel, dense: RadialModel, folder: string): Promise<Evaluation> {
  const address = readAddresses().find((candidate) => isHeldOut(candidate) && candidate.year === YEAR);
  const text = join(folder, 'address.txt');
  writeFileSync(text, address?.text.slice(0, CHARACTERS) ?? '');
  return evaluateModel({
    subject: { path: 'gates', model: gated },
    against: { path: 'dense', model: dense },
    paths: [text],
    mode: 'prefill',
    signal: new AbortController().signal,
  });
}

const folder = mkdtempSync(join(tmpdir(), 'radialc-demo-'));
try {
  const out = (name: string): { outDir: string } => ({ outDir: join(folder, name) });
  title(
    '1. Compile the dense model (OPT, 12 layers, 24 residual blocks, trained from scratch on State of the Union addresses)',
  );
  printPasses(await compile({ input: denseCheckpoint }, out('dense')));

  title(
    '2. Compile the same model, trained on with gates: before each block a router decides, token by token, whether it is worth its time',
  );
  printPasses(await compile({ input: gatedCheckpoint }, out('gated')));

  const [dense, gated] = [await load(join(folder, 'dense')), await load(join(folder, 'gated'))];
  title('3. The dense program writes: every token goes through all blocks');
  await write(dense);

  const scale = shades
    .map((_, i) => shadeOf(i / shades.length)(`${Math.round((100 * i) / shades.length)} %`))
    .join(' · ');
  title(`4. The program with gates writes: coloured by depth, from ${scale} of the blocks on`);
  await write(gated);

  title(`5. Side by side, on the held-out address of ${YEAR}`);
  const [denseTime = 0, gatedTime = 0] = await timeOf([dense, gated]);
  const { model, against, agreement, tokens } = await predict(gated, dense, folder);
  const line = (name: string, depth: number, ms: number, perplexity: number): string =>
    `  ${name.padEnd(11)} ${depth.toFixed(1).padStart(4)} of 24 blocks   ${ms.toFixed(3)} ms a token   ` +
    `${(1000 / ms).toFixed(0).padStart(5)} tokens/s   perplexity ${perplexity.toFixed(2)}`;
  console.log(line('dense', 24, denseTime, against?.perplexity ?? 0));
  console.log(line('with gates', model.depth.mean, gatedTime, model.perplexity));
  console.log(
    `  ${((100 * gatedTime) / denseTime).toFixed(0)} % of the time (embedding and logits included), the same likeliest token for ` +
      `${(100 * (agreement?.top1 ?? 0)).toFixed(0)} % of ${tokens} tokens`,
  );
  console.log(
    colors.dim('  How sure a gate must be is a knob: radialc run … --threshold 0.02 goes deeper, 0.98 less deep.'),
  );
  dense.dispose();
  gated.dispose();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
