/**
 * @file Speed of training the bundled model's shape, on one core.
 *
 *     npm run bench:training [-- adamw | muon | joint]
 *
 * Dense steps on random tokens: their time does not depend on what the text says. That of `joint` depends on what the gates say
 * of it: the bundled model with gates is trained on, on the first addresses of its own training text.
 */
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import {
  compiledMatmul,
  initialState,
  joinTexts,
  loadTrainedModel,
  startBackend,
  train,
} from '../../compiler/training/index.ts';
import type { RunState, TrainSettings } from '../../compiler/training/index.ts';
import { isHeldOut, readAddresses } from '../../examples/sotu-opt/corpus.ts';
import { createRandom } from '../../ir/random.ts';

const WARM = 3;
const STEPS = 24;
const SEED = 1;
const TEXTS = 5;

interface Run {
  readonly settings: TrainSettings;
  readonly text: Uint16Array;
  readonly first: RunState;
}

const kind = (['muon', 'joint'] as const).find((one) => one === process.argv[2]) ?? 'adamw';
const dense: TrainSettings = {
  shape: { layers: 12, hidden: 96, heads: 4, ffn: 384, vocab: 1024, context: 256 },
  batch: 4,
  tokens: 256,
  seed: SEED,
  optimizer: {
    kind: kind === 'muon' ? 'muon' : 'adamw',
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

function denseRun(): Run {
  const random = createRandom(SEED);
  const text = Uint16Array.from({ length: 8 * dense.batch * dense.tokens }, () => random() % dense.shape.vocab);
  return { settings: dense, text, first: initialState(dense) };
}

function jointRun(): Run {
  const { codec, gates, parameters } = loadTrainedModel(
    fileURLToPath(new URL('../../examples/sotu-radial', import.meta.url)),
    dense.shape,
  );
  if (gates === undefined) throw new Error('the bundled model has no gates');
  const routed = { mode: 'joint', config: gates.config, targetDepth: 0.6, budget: 60, anneal: 0 } as const;
  const settings = { ...dense, routed };
  const addresses = readAddresses().filter((address) => !isHeldOut(address));
  const text = joinTexts(addresses.slice(0, TEXTS).map((address) => codec.encode(address.text)));
  return { settings, text, first: initialState(settings, parameters, gates) };
}

await startBackend();
const { settings, text, first } = kind === 'joint' ? jointRun() : denseRun();
const { arithmetic } = compiledMatmul();
const ends: number[] = [];
await train(text, settings, first, { onStep: () => ends.push(performance.now()) });
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
