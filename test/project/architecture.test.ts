/** @file The IR that ARCHITECTURE.md shows is what the compiler prints, to the letter. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseModule, printModule } from '../../ir/index.ts';
import { pipelinePasses, runPasses } from '../../passes/index.ts';
import { targetBuffers } from '../../compiler/wasm/index.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

describe('ARCHITECTURE.md', () => {
  it('shows real IR', () => {
    const source = 'examples/hand-written/loop.rir';
    const printed: string[] = [];
    runPasses(parseModule(readFileSync(root + source, 'utf8'), source), pipelinePasses('O2'), {
      options: { extraBuffers: targetBuffers },
      dump: (_, __, text) => void printed.push(text),
    });
    const snippets = [...readFileSync(`${root}ARCHITECTURE.md`, 'utf8').matchAll(/```rir\n([^]*?)```/g)].map(
      ([, text = '']) => text,
    );
    assert.ok(snippets.length >= 4);
    for (const snippet of snippets) {
      const shown = printed.some((text) => snippet.split('\n').every((line) => text.split('\n').includes(line)));
      assert.ok(shown, `no stage prints\n${snippet}`);
    }
  });

  it('shows a module that survives printing and parsing', () => {
    const source = 'examples/hand-written/loop.rir';
    const text = printModule(parseModule(readFileSync(root + source, 'utf8'), source));
    assert.equal(printModule(parseModule(text, source)), text);
  });
});
