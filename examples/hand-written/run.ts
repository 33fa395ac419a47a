/**
 * @file Compiles the model in loop.rir and walks it: forwards, twice around, and out at once.
 *
 *     npm run example -- examples/hand-written/run.ts
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compile } from '../../compiler/index.ts';
import { load } from '../../runtime/index.ts';

const folder = mkdtempSync(join(tmpdir(), 'radialc-loop-'));
try {
  const out = join(folder, 'loop');
  await compile({ input: fileURLToPath(new URL('loop.rir', import.meta.url)) }, { outDir: out });
  const model = await load(out);
  const walk = [[0, 1], [0, 1, 0, 1], [0]];
  const { logits, depth } = await model.forward([3, 1, 4], { route: { walk } });
  logits.forEach((row, t) => {
    const best = row.reduce((top, value, id) => (value > (row[top] ?? -Infinity) ? id : top), 0);
    console.log(`token ${t}: walk ${(walk[t] ?? []).join(' → ')}, depth ${depth[t] ?? 0}, most likely next ${best}`);
  });
  model.dispose();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
