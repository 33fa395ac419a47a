/**
 * @file Speed of training the bundled model's shape, on one core.
 *
 *     npm run bench:training [-- OPTIMIZER]
 *
 * Steps on random tokens: the time of a step does not depend on what the text says.
 */
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { compiledMatmul, initialState, startBackend, train } from '../../compiler/training/index.ts';
import type { TrainSettings } from '../../compiler/training/index.ts';
import { createRandom } from '../../ir/random.ts';

const WARM = 3;
const STEPS = 12;
const SEED = 1;

const kind = process.argv[2] === 'muon' ? 'muon' : 'adamw';
const settings: TrainSettings = {
  shape: { layers: 12, hidden: 96, heads: 4, ffn: 384, vocab: 1024, context: 256 },
  batch: 4,
  tokens: 256,
  seed: SEED,
  optimizer: {
    kind,
    schedule: 'cosine',
    learningRate: 0.001,
    warmup: 1,
    steps: WARM + STEPS,
    weightDecay: 0.05,
    clip: 1,
  },
  layerDrop: 0,
  workers: 1,
};

const random = createRandom(SEED);
const text = Uint16Array.from({ length: 8 * settings.batch * settings.tokens }, () => random() % settings.shape.vocab);
await startBackend();
const { arithmetic } = compiledMatmul();
const ends: number[] = [];
await train(text, settings, initialState(settings), { onStep: () => ends.push(performance.now()) });
const milliseconds = ends
  .slice(WARM)
  .map((end, i) => end - (ends[WARM + i - 1] ?? NaN))
  .sort((a, b) => a - b);
const median = milliseconds[Math.floor(STEPS / 2)] ?? NaN;
const tokensPerSecond = (1000 * settings.batch * settings.tokens) / median;
console.log(
  `${kind}: ${median.toFixed(0)} ms a step of ${settings.batch} × ${settings.tokens} tokens, ` +
    `${tokensPerSecond.toFixed(0)} tokens/s on one core, ${arithmetic} arithmetic`,
);
const report = {
  what: 'training of a model of 1,465,152 parameters (12 layers, width 96), F32, tfjs with products of our own, one thread',
  command: `npm run bench:training -- ${kind}`,
  seed: SEED,
  environment: { node: process.version, v8: process.versions.v8, cpu: cpus()[0]?.model ?? '', cores: cpus().length },
  settings,
  arithmetic,
  milliseconds,
  tokensPerSecond,
};
const out = fileURLToPath(new URL(`results/training-${kind}.json`, import.meta.url));
writeFileSync(out, `${JSON.stringify(report, null, 1)}\n`);
console.log(`→ ${out}`);
