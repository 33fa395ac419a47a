/** @file The head: what was studied, and the numbers to remember. */
import type { Study } from '../../routing/index.ts';
import { markup, nothing } from '../html.ts';
import type { Html } from '../html.ts';
import { bytes, fixed, percent, quantity, whole } from '../numbers.ts';
import { nameOf } from '../series.ts';

export function headHtml(study: Study): Html {
  const { model, routing, text, routes, studied, timing, against } = study;
  const [dense] = routes;
  const main = routes[studied];
  if (dense === undefined || main === undefined) throw new Error('internal: a study without routes');
  const timed = timing?.points.find(({ route }) => route === studied);
  const blocks = model.blocks.length;
  const facts: readonly (readonly [string, string | Html])[] = [
    ['model', markup`<code>${model.path}</code>, ${model.family}, SHA-256 ${model.sha256.slice(0, 12)}`],
    [
      'size',
      `${blocks} blocks, hidden ${model.hidden}, vocabulary ${whole(model.vocabulary)}, ${quantity(model.parameters)} parameters; weights ${bytes(model.weightBytes)}, program ${bytes(model.wasmBytes)}`,
    ],
    ['routers', routersText(study)],
    [
      'routing',
      `KV policy ${routing.kv}, revisit ${routing.revisit}, at most ${routing.maxHops} hops, ${routing.anchors} anchor tokens`,
    ],
    [
      'text',
      `${text.files.map(({ name }) => name).join(', ')}: ${whole(text.tokens)} tokens (${whole(text.bytes)} bytes) in ${text.windows} windows of at most ${text.window}`,
    ],
    ['dense', against === null ? 'the same checkpoint, all blocks in sequence' : markup`<code>${against}</code>`],
  ];
  return markup`<header>
    <p class="kicker">A routing study</p>
    <h1>
      ${
        model.path
          .replace(/[\\/]+$/, '')
          .split(/[\\/]/)
          .at(-1) ?? model.path
      }
    </h1>
    <div class="tiles">
      ${tile('mean depth', main.depth.mean.toFixed(2), `of ${blocks} blocks; ${main.skipped < 0 ? `${percent(-main.skipped)} more` : `${percent(main.skipped)} skipped`}`)}
      ${tile('perplexity', fixed(main.perplexity, 2), `dense ${fixed(dense.perplexity, 2)}; KL ${fixed(main.kl, 4)} nats`)}
      ${timed === undefined ? nothing : tile('decode time, measured', `${fixed(timed.ratio.median, 2)} ×`, `of dense, ${fixed(timing?.denseMilliseconds ?? null, 3)} ms per token`)}
      ${study.kv === null ? nothing : tile('KV cache', bytes(study.kv.expected), `per token; ${percent(study.kv.expected / study.kv.static, 0)} of static`)}
    </div>
    <p class="studied">Studied route: <b>${nameOf(main, study)}</b></p>
    <dl>
      ${facts.map(
        ([name, value]) =>
          markup`<dt>${name}</dt>
            <dd>${value}</dd> `,
      )}
    </dl>
  </header> `;
}

function tile(name: string, value: string, note: string): Html {
  return markup`<div class="tile">
    <p class="name">${name}</p>
    <p class="value">${value}</p>
    <p class="note">${note}</p>
  </div>`;
}

function routersText({ model, routing }: Study): string {
  if (model.router === 'gate') {
    return `learned gates, open above ${routing.threshold ?? ''} unless a threshold is given`;
  }
  if (model.router === 'hub') return 'a learned hub: any block may follow any other';
  return 'none; an oracle stands for one, which skips blocks whose residual ratio is below a threshold';
}
