/** @file The bundled model and its corpus: what the model card promises. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { evaluate, joinTexts, loadTrainedModel, startBackend } from '../../../compiler/training/index.ts';
import { isHeldOut, readAddresses } from '../../../examples/sotu-opt/corpus.ts';

const folder = fileURLToPath(new URL('../../../examples/sotu-opt', import.meta.url));
const addresses = readAddresses();
const heldOut = addresses.filter(isHeldOut);

describe('the State of the Union addresses', () => {
  it('are there, in order, with every tenth year held out', () => {
    assert.equal(addresses.length, 233);
    assert.deepEqual(
      addresses.map(({ year }) => year),
      addresses.map(({ year }) => year).sort((a, b) => a - b),
    );
    assert.equal(heldOut.length, 24);
    assert.ok(heldOut.every(({ year }) => year % 10 === 0));
  });

  it('are one line each, with plain quotation marks and dashes', () => {
    for (const { name, text } of addresses) assert.doesNotMatch(text, /[\n\r\t\u0002“”‘’—–]| {2}/u, name);
  });
});

describe('the bundled model', () => {
  before(startBackend);

  it('writes and reads every held-out address without loss', () => {
    const { codec } = loadTrainedModel(folder);
    for (const { name, text } of heldOut.slice(0, 8)) assert.equal(codec.decode(codec.encode(text)), text, name);
  });

  it('is as good as its card says', () => {
    const { shape, parameters, codec } = loadTrainedModel(folder);
    assert.deepEqual([shape.layers, shape.context, shape.vocab], [12, 256, 1024]);
    const text = joinTexts(heldOut.slice(8, 12).map((address) => codec.encode(address.text)));
    const { loss } = evaluate(shape, parameters, text, { tokens: shape.context, batch: 4, maxWindows: 8 });
    const card = readFileSync(`${folder}/README.md`, 'utf8');
    const promised = Number(/model \(F16, as stored\) *\| *([\d.]+)/.exec(card)?.[1]);
    assert.ok(Math.abs(loss - promised) < 0.25, `${loss}, while the card says ${promised}`);
  });
});
