/** @file The routed graph, before and after the passes, with the traffic of tokens on it. */
import type { Graph, Study, Traffic } from '../../routing/index.ts';
import { markup, nothing } from '../html.ts';
import type { Html } from '../html.ts';
import { percent, whole } from '../numbers.ts';
import { STEPS, nameOf, stepOf, studiedRoute } from '../series.ts';
import { drawingOf } from './edges.ts';
import type { DrawnEdge, Node } from './edges.ts';
import type { Figure, Sketch } from './figure.ts';

export function graphFigure({ study, layout }: Sketch): Figure {
  const { levels } = study;
  const [before, after] = [levels[0], levels.at(-1)];
  if (before === undefined || after === undefined) throw new Error('internal: no levels');
  const picture = (name: string, graph: Graph): Html =>
    markup`<div class="scroll">${layout(dotOf(name, graph, study.traffic), `network ${name} the passes`)}</div>`;
  const opsOf = ({ blocks }: Graph): number => blocks.reduce((sum, { ops }) => sum + ops, 0);
  return {
    title: 'The routed graph and its traffic',
    body: markup`<p class="panel">
        As lowered at ${before.level}: ${before.graph.blocks.length} blocks with ${opsOf(before.graph)} operations
      </p>
      ${picture('before', before.graph)}
      <p class="panel">
        At ${after.level}, after all passes: ${after.graph.blocks.length} blocks with ${opsOf(after.graph)} operations
      </p>
      ${picture('after', after.graph)} ${legend(study.traffic)}`,
    caption: captionOf(study, before.graph),
  };
}

function legend(traffic: Traffic): Html {
  const key = (look: string, text: string): Html =>
    markup`<span class="key"
      ><svg width="16" height="16" aria-hidden="true"><circle cx="8" cy="8" r="6.3" class="${look}" /></svg>
      ${text}</span
    >`;
  const back = hasBack(traffic)
    ? markup`<span class="key"
        ><svg width="22" height="16" aria-hidden="true"><path d="M1 8h20" class="swatch-back" /></svg> back to an
        earlier block or the same</span
      >`
    : nothing;
  return markup`<p class="legend">
    ${key('swatch-on', 'always on')} ${key('swatch-dead', 'dead')} ${back}
    <span class="key"
      >executed by none ${Array.from({ length: STEPS }, (_, i) => markup`<i class="q q${i}"></i>`)} all tokens</span
    >
    <span class="key">○ attention</span> <span class="key">□ MLP</span>
  </p>`;
}

function captionOf(study: Study, graph: Graph): Html {
  const { traffic, model } = study;
  const { hidden, hiddenShare, unused } = drawingOf(graph, traffic);
  const revisits = traffic.blocks.reduce((sum, { visits, tokens }) => sum + visits - tokens, 0);
  const count = (tokens: number): number => traffic.blocks.filter((block) => block.tokens === tokens).length;
  return markup`Blocks in the order of the model; the small number below each is that of the operations in its body. Lines
  are as thick as the share of ${whole(traffic.tokens)} tokens that took the edge
  (${nameOf(studiedRoute(study), study)}). ${count(traffic.tokens)} of ${model.blocks.length} blocks are executed by
  every token, ${count(0)} by none${revisits === 0 ? '' : `; ${whole(revisits)} executions are repeated visits`}.
  ${unused === 0 ? '' : `${unused} edges that the graph allows and no token took are not drawn. `}${hidden === 0 ? '' : `Nor are ${hidden} with little traffic, ${percent(hiddenShare)} of all hops.`}`;
}

function hasBack({ edges }: Traffic): boolean {
  return edges.some(({ from, to }) => from !== 'entry' && to !== 'exit' && to <= from);
}

/** In DOT. Nothing of the model's own texts is in it. */
function dotOf(name: string, graph: Graph, traffic: Traffic): string {
  const executed = new Map(traffic.blocks.map(({ id, tokens }) => [id, tokens / traffic.tokens]));
  const nodes = graph.blocks.map(({ id, role, ops }) => {
    const share = executed.get(id) ?? 0;
    const state = share === 1 ? ' on' : share === 0 ? ' dead' : '';
    const label = `<<font point-size="9">${id}</font><br/><font point-size="6">${ops}</font>>`;
    const shape = role === 'attention' ? 'circle' : 'square';
    const tip = `block ${id}, ${role}: ${percent(share)} of the tokens`;
    return `n${id} [id="${name}-${id}" class="q${stepOf(share)}${state}" shape=${shape} label=${label} tooltip="${tip}"]`;
  });
  const order: readonly Node[] = ['entry', ...graph.blocks.map(({ id }) => id), 'exit'];
  // Keeps the blocks in a row.
  const row = order.slice(1).map((to, i) => `n${order[i] ?? 'entry'} -> n${to} [style=invis weight=1000]`);
  const edges = drawingOf(graph, traffic).edges.map((edge) => edgeDot(name, edge, order));
  return `digraph ${name} {
rankdir=LR; bgcolor="transparent"; nodesep=0.03; ranksep=0.17; margin=0; id="${name}"; tooltip=" "
node [group=row fixedsize=true width=0.28 height=0.28 fontname="sans-serif" fontsize=9 style=filled]
edge [arrowsize=0.35]
nentry [shape=plain style="" label="in" class="end" fixedsize=false tooltip="entry"]
nexit [shape=plain style="" label="out" class="end" fixedsize=false tooltip="exit"]
${[...nodes, ...row, ...edges].join('\n')}
}`;
}

function edgeDot(name: string, { from, to, share }: DrawnEdge, order: readonly Node[]): string {
  const [at, next] = [order.indexOf(from), order.indexOf(to)];
  // From left to right, so that edges that lead back do not move the blocks.
  const [left, right] = next < at ? [to, from] : [from, to];
  const look = share === 0 ? 'idle' : next <= at ? 'back' : 'used';
  const width = share === 0 ? 0.4 : 0.5 + 4.5 * Math.min(1, share);
  return (
    `n${left} -> n${right} [id="${name}-${from}-${to}" class="${look}" penwidth=${width.toFixed(2)} weight=0` +
    `${next < at ? ' dir=back' : next === at + 1 ? ' arrowhead=none' : ''} tooltip="${from} to ${to}: ${percent(share)} of the tokens"]`
  );
}
