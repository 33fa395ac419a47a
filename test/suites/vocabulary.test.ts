/** @file Models whose head and table of tokens differ in size: ids are those that the table has rows for. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseModule } from '../../ir/index.ts';
import type { Network } from '../../ir/index.ts';
import { compiledNetwork } from '../support/compiled.ts';

const text = readFileSync(fileURLToPath(new URL('../../examples/hand-written/loop.rir', import.meta.url)), 'utf8');

/** The example, whose table has 16 rows, with a head of its own. */
function withHead(outputs: number): Network {
  const head = `const @head : f32[${outputs}, 8] = random {seed: 9, mean: 0, std: 1}\n\nentry(`;
  const exit = text
    .slice(text.indexOf('exit('))
    .replace('@tokens', '@head')
    .replace(/f32\[tokens, 16\]/g, `f32[tokens, ${outputs}]`);
  const module = parseModule(text.slice(0, text.indexOf('exit(')).replace('entry(', head) + exit, 'loop.rir');
  assert(module.stage === 'network');
  return module;
}

describe('a head of another size than the table of tokens', () => {
  it('larger: ids end with the table', async () => {
    const { model } = await compiledNetwork(withHead(40));
    assert.equal(model.info.shapes.vocabulary, 16);
    assert.equal((await model.forward([15])).logits[0]?.length, 40);
    await assert.rejects(model.forward([16]), /RC0904/);
    await assert.rejects(model.forward([39]), /RC0904/);
  });

  it('larger: an output that is no token ends the generation', async () => {
    const { model } = await compiledNetwork(withHead(4000));
    const ids: number[] = [];
    const write = async (): Promise<void> => {
      for await (const { id } of model.generate([3, 1], { maxNewTokens: 30 })) ids.push(id);
    };
    await assert.rejects(write, /RC0904/);
    assert.ok((ids.at(-1) ?? 0) >= 16);
  });

  it('smaller: all ids of the table are taken', async () => {
    const { model } = await compiledNetwork(withHead(5));
    assert.equal((await model.forward([15, 7])).logits[1]?.length, 5);
    await assert.rejects(model.forward([16]), /RC0904/);
  });
});
