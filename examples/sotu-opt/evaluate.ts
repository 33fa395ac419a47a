/**
 * @file Measures the bundled model, as it is stored, on the held-out addresses, beside a trigram model of the same
 * tokens, and lets it write.
 *
 *     npm run example -- examples/sotu-opt/evaluate.ts [--dir DIR] [--no-trigram] [--no-samples]
 */
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import {
  evaluate,
  joinTexts,
  loadTrainedModel,
  sample,
  startBackend,
  trainTrigram,
  trigramLoss,
} from '../../compiler/training/index.ts';
import { isHeldOut, readAddresses } from './corpus.ts';

const prompts = [
  'Fellow-Citizens of the Senate and House of Representatives:',
  'The state of the Union is',
  'Our relations with Mexico',
  'My fellow Americans, tonight',
  'The report of the Secretary of the Treasury',
];

interface Options {
  readonly dir: string;
  readonly trigram: boolean;
  readonly samples: boolean;
}

const options = new Command('evaluate')
  .description('Measures a model of train.ts on the held-out State of the Union addresses.')
  .option('--dir <dir>', 'the checkpoint', dirname(fileURLToPath(import.meta.url)))
  .option('--no-trigram', 'without the comparison')
  .option('--no-samples', 'without samples')
  .parse()
  .opts<Options>();

await startBackend();
const { shape, parameters, codec, tokenBytes } = loadTrainedModel(options.dir);
const addresses = readAddresses();
const encode = (held: boolean): Uint16Array =>
  joinTexts(addresses.filter((address) => isHeldOut(address) === held).map(({ text }) => codec.encode(text)));
const heldOut = encode(true);

const { loss, count } = evaluate(shape, parameters, heldOut, { tokens: shape.context, batch: 4 });
show(`held out, ${count} tokens, windows of ${shape.context}`, loss);
if (options.trigram) {
  // The first `count` tokens, so that both models predict the same ones.
  show('trigram, the same tokens', trigramLoss(trainTrigram(encode(false), shape.vocab), heldOut.subarray(0, count)));
}
for (const prompt of options.samples ? prompts : []) {
  for (const temperature of [0, 0.7]) {
    const ids = sample(shape, parameters, codec.encode(prompt), { count: 100, temperature, seed: 1 });
    print(`\ntemperature ${temperature}: ${prompt}|${codec.decode(ids)}`);
  }
}

function show(what: string, nats: number): void {
  const bytes = heldOut.subarray(0, count).reduce((sum, id) => sum + (tokenBytes[id] ?? 0), 0);
  const bitsPerByte = (nats * count) / Math.LN2 / bytes;
  print(
    `${what}: ${nats.toFixed(4)} nats per token, perplexity ${Math.exp(nats).toFixed(2)}, ` +
      `${bitsPerByte.toFixed(3)} bits per byte`,
  );
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
