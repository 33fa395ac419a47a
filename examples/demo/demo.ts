/**
 * @file `npm run demo`: compiles the bundled model, writes text with each token's depth, and says how fast.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createColors } from 'picocolors';
import { compile } from '../../compiler/index.ts';
import type { Compiled } from '../../compiler/index.ts';
import { load } from '../../runtime/index.ts';
import type { RadialModel, Route, Walk } from '../../runtime/index.ts';

const checkpoint = fileURLToPath(new URL('../sotu-opt/', import.meta.url));
const prompt = 'The people of the United States';
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

/** Streams text coloured by depth. */
async function write(model: RadialModel, route?: Route): Promise<void> {
  const blocks = model.info.routing.blocks.length;
  const depths: number[] = [];
  let first: number | undefined;
  process.stdout.write(`  ${colors.dim(prompt)}`);
  for await (const { text, depth } of model.generate(prompt, {
    maxNewTokens: 96,
    temperature: 0.7,
    topK: 20,
    seed: 6,
    route,
  })) {
    first ??= performance.now();
    depths.push(depth);
    const shade = shades[Math.min(shades.length - 1, Math.floor((depth / blocks) * shades.length))] ?? colors.red;
    process.stdout.write(shade(text.replaceAll('\n', '\n  ')));
  }
  const elapsed = performance.now() - (first ?? 0);
  const perToken = elapsed / Math.max(depths.length - 1, 1);
  const mean = depths.reduce((sum, depth) => sum + depth, 0) / depths.length;
  console.log(`\n\n  depth of each token: ${depths.slice(0, 24).join(' ')} …`);
  console.log(
    `  mean depth ${mean.toFixed(1)} of ${blocks} blocks, ${perToken.toFixed(2)} ms a token, ${(1000 / perToken).toFixed(0)} tokens/s`,
  );
}

/** Milliseconds to decode a token, all its blocks or those of the walk; the median of several rounds, in turns. */
async function compare(model: RadialModel, walk: Walk): Promise<readonly [number, number]> {
  const ids = (await model.encode(`${prompt} `.repeat(12))).slice(0, 96);
  const time = async (route?: Route): Promise<number> => {
    const started = performance.now();
    await model.forward(ids, { mode: 'decode', route });
    return (performance.now() - started) / ids.length;
  };
  const rounds: [number, number][] = [];
  for (let r = 0; r < 15; r++) rounds.push([await time(), await time(() => walk)]);
  const median = (values: readonly number[]): number =>
    [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
  return [median(rounds.map(([all]) => all)), median(rounds.map(([, some]) => some))];
}

const folder = mkdtempSync(join(tmpdir(), 'radialc-demo-'));
try {
  title('1. Compile the bundled model (OPT, 12 layers, 24 residual blocks) for WebAssembly SIMD');
  const sequential = await compile({ input: checkpoint }, { outDir: join(folder, 'sequential') });
  printPasses(sequential);

  title('2. Generate: every token goes through all blocks');
  const dense = await load(join(folder, 'sequential'));
  await write(dense);
  dense.dispose();

  title(
    '3. Compile it again with conditional edges: the caller chooses each token’s path (--route external --kv project)',
  );
  const routed = await compile(
    { input: checkpoint, route: 'external', kv: 'project' },
    { outDir: join(folder, 'routed') },
  );
  printPasses(routed);

  title('4. Generate: every second token skips layers 5 to 8');
  const model = await load(join(folder, 'routed'));
  const short = model.info.routing.blocks.map(({ id }) => id).filter((id) => id < 10 || id >= 16);
  await write(model, (position) => (position % 2 === 0 ? undefined : short));
  console.log(
    colors.dim('  These routes are made by hand, and the model was not trained to be routed: expect worse text.'),
  );

  title('5. What skipping saves: every token executes every second layer');
  const half = model.info.routing.blocks.map(({ id }) => id).filter((id) => Math.floor(id / 2) % 2 === 0);
  const [all, some] = await compare(model, half);
  model.dispose();
  console.log(
    `  decode: 24 blocks ${all.toFixed(2)} ms a token, 12 blocks ${some.toFixed(2)} ms, ` +
      `${((100 * some) / all).toFixed(0)} % (embedding and logits included)`,
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}
