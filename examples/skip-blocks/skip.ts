/**
 * @file What does a model do when tokens skip blocks? Compiles a checkpoint with conditional edges and compares routes with
 * the full walk, under each KV policy: how often the most likely next token stays the same, and the time of a token.
 *
 *     npm run example -- examples/skip-blocks/skip.ts [CHECKPOINT]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compile } from '../../compiler/index.ts';
import { load } from '../../runtime/index.ts';
import type { ForwardResult, RadialModel, Walk } from '../../runtime/index.ts';

const text =
  'Gentlemen of the Congress: the condition of our country is good, and the people are at peace with all nations. ' +
  'It is my duty to report to you on the state of the Union, and to recommend such measures as I judge necessary.';

/** Every nth token leaves out the blocks in the middle. */
function walks(model: RadialModel, tokens: number, every: number): readonly Walk[] {
  const all = model.info.routing.blocks.map(({ id }) => id);
  const outer = all.filter((_, i) => i < all.length / 3 || i >= (2 * all.length) / 3);
  return Array.from({ length: tokens }, (_, t) => (t > 1 && t % every === 0 ? outer : all));
}

function mostLikely(row: Float32Array): number {
  return row.reduce((best, value, id) => (value > (row[best] ?? -Infinity) ? id : best), 0);
}

function agreement(a: ForwardResult, b: ForwardResult): number {
  const same = a.logits.filter((row, t) => mostLikely(row) === mostLikely(b.logits[t] ?? row)).length;
  return (100 * same) / a.logits.length;
}

const checkpoint = process.argv[2] ?? fileURLToPath(new URL('../sotu-opt/', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'radialc-skip-'));
try {
  for (const kv of ['absent', 'project', 'latest'] as const) {
    const out = join(folder, kv);
    await compile({ input: checkpoint, route: 'external', kv }, { outDir: out });
    const model = await load(out);
    const ids = await model.encode(text);
    const dense = await model.forward(ids, { mode: 'decode' });
    console.log(`kv ${kv}: ${ids.length} tokens, ${dense.depth[0] ?? 0} blocks`);
    for (const every of [4, 2, 1]) {
      const started = performance.now();
      const routed = await model.forward(ids, { mode: 'decode', route: { walk: walks(model, ids.length, every) } });
      const ms = (performance.now() - started) / ids.length;
      const mean = routed.depth.reduce((sum, depth) => sum + depth, 0) / ids.length;
      console.log(
        `  mean depth ${mean.toFixed(1)}: ${agreement(routed, dense).toFixed(0)} % same next token, ${ms.toFixed(2)} ms a token`,
      );
    }
    model.dispose();
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
