/** @file What blocks add to the hidden state: medians over positions, and token by token. */
import type { Quartiles, RatioTable } from '../../routing/index.ts';
import { markup, raw } from '../html.ts';
import type { Html } from '../html.ts';
import { fixed } from '../numbers.ts';
import type { Plotter } from '../plot.ts';
import { STEPS } from '../series.ts';
import type { Figure, Sketch } from './figure.ts';

/** Ratios to steps of the colour scale. */
interface Scale {
  readonly stepOf: (ratio: number) => number;
  /** Where the steps begin. */
  readonly edges: readonly number[];
}

const PASSAGE_COLUMNS = 96;
const ROW = 11;
const TICKS = [0.001, 0.01, 0.1, 1, 10, 100].flatMap((power) => [power, 2 * power, 5 * power]);

export function ratioFigure({ study, plotter }: Sketch): Figure {
  const { ratios, model, text } = study;
  const scale = scaleOf(ratios.dense, ratios.routed);
  const blocks = model.blocks.length;
  const height = ROW * blocks + 44;
  const source = ratios.profile?.blocks ?? ratios.dense.blocks;
  const positions = ratios.bins.length;
  const panel = (title: string, { bins }: RatioTable): Html =>
    heatMap(plotter, scale, {
      title,
      height,
      width: 330,
      columns: positions,
      cells: bins,
      tick: (bin) => String(ratios.bins[bin] ?? ''),
      every: Math.max(1, Math.ceil(positions / 6)),
      label: 'first position of the bin →',
      blocks: false,
    });
  const tokens = study.passage.slice(0, PASSAGE_COLUMNS);
  const passage = model.blocks.map((_, b) => tokens.map(({ routed }) => routed[b] ?? null));
  return {
    title: 'What each block adds: residual ratios',
    body: markup`<div class="row">
        <div>
          <p class="panel">Quartiles${ratios.profile === null ? ', dense run' : ', profile'}</p>
          ${quartilePlot(plotter, source, { blocks, height })}
        </div>
        <div>
          <p class="panel">Dense run, medians</p>
          ${panel('dense run', ratios.dense)}
        </div>
        <div>
          <p class="panel">Studied route, medians</p>
          ${panel('studied route', ratios.routed)}
        </div>
      </div>
      <p class="panel">Studied route, token by token: the first ${tokens.length} positions</p>
      ${heatMap(plotter, scale, {
        title: 'tokens',
        height,
        width: 960,
        columns: tokens.length,
        cells: passage,
        tick: String,
        every: 8,
        label: 'position →',
        blocks: true,
      })}
      <p class="legend">
        ${scale.edges.map((edge, i) => markup`<i class="q q${i}"></i> ${fixed(edge, edge < 0.1 ? 3 : 2)} `)}<span
          class="gap"
        ></span>
        ‖f‖ / ‖x‖ from each number on; empty: not executed
      </p>`,
    caption: markup`A block adds f to the hidden state x; where ‖f‖ / ‖x‖ is small, skipping it changes little. Rows are
    blocks, the first one on top, attention and MLP in turn. Left: quartiles over
    ${ratios.profile === null ? markup`the ${text.tokens} tokens of this study` : markup`${ratios.profile.tokens} tokens of ${ratios.profile.file}`}.
    Middle and right: the median in each bin of positions, if every token executes every block, and on the studied
    route. Below: single tokens; where a cell is missing, the token went past the block.`,
  };
}

/** Each step holds as many of the medians: a few large blocks do not make the others look alike. */
function scaleOf(...tables: readonly RatioTable[]): Scale {
  const values = tables
    .flatMap(({ bins }) => bins.flat())
    .filter((value): value is number => value !== null && Number.isFinite(value))
    .sort((a, b) => a - b);
  const edges = Array.from({ length: STEPS }, (_, i) => values[Math.floor((i / STEPS) * values.length)] ?? 0);
  return {
    stepOf: (ratio) =>
      Math.max(
        0,
        edges.findLastIndex((edge) => edge <= ratio),
      ),
    edges,
  };
}

function quartilePlot(
  { plot, draw }: Plotter,
  quartiles: readonly (Quartiles | null)[],
  { blocks, height }: { readonly blocks: number; readonly height: number },
): Html {
  const found = quartiles.filter((each) => each !== null);
  const [low, high] = [Math.min(...found.map(({ p25 }) => p25)), Math.max(...found.map(({ p75 }) => p75))];
  const rows = quartiles.flatMap((found, block) => (found === null ? [] : [{ block, ...found }]));
  return draw('residual ratio of each block: quartiles', {
    ...{ width: 230, height, marginTop: 6, marginBottom: 38, marginLeft: 34, marginRight: 12 },
    x: {
      type: 'log',
      label: '‖f‖ / ‖x‖ →',
      grid: true,
      ticks: TICKS.filter((tick, i) => tick >= low && tick <= high && (high < 10 * low || i % 3 === 0)),
      tickFormat: (value: number) => String(value),
    },
    y: { type: 'band', domain: range(blocks), label: null, tickSize: 0, ticks: everyFourth(blocks) },
    marks: [
      plot.ruleY(rows, { y: 'block', x1: 'p25', x2: 'p75', stroke: 'var(--muted)', strokeWidth: 2.5 }),
      plot.dot(rows, { y: 'block', x: 'median', r: 2.6, fill: 'var(--ink)' }),
    ],
  });
}

interface HeatMap {
  readonly title: string;
  readonly width: number;
  readonly height: number;
  readonly columns: number;
  /** [block][column]. */
  readonly cells: readonly (readonly (number | null)[])[];
  readonly tick: (column: number) => string;
  readonly every: number;
  readonly label: string;
  /** Whether rows have numbers. */
  readonly blocks: boolean;
}

/** One path for each step of the scale: thousands of cells stay small. */
function heatMap({ draw }: Plotter, scale: Scale, map: HeatMap): Html {
  const { cells, columns, width, height, every } = map;
  const left = map.blocks ? 34 : 8;
  const svg = draw(`residual ratios by block and position: ${map.title}`, {
    ...{ width, height, marginTop: 6, marginBottom: 38, marginLeft: left, marginRight: 2 },
    x: {
      type: 'band',
      domain: range(columns),
      padding: 0,
      round: false,
      label: map.label,
      tickSize: 0,
      ticks: range(columns).filter((c) => c % every === 0),
      tickFormat: map.tick,
    },
    y: {
      type: 'band',
      domain: range(cells.length),
      padding: 0,
      round: false,
      label: null,
      tickSize: 0,
      ticks: map.blocks ? everyFourth(cells.length) : [],
    },
    marks: [],
  });
  const [w, h] = [(width - left - 2) / columns, (height - 44) / cells.length];
  const paths = Array.from({ length: STEPS }, () => '');
  cells.forEach((row, b) => {
    row.forEach((ratio, c) => {
      if (ratio === null) return;
      const step = scale.stepOf(ratio);
      paths[step] =
        `${paths[step] ?? ''}M${point(left + c * w)} ${point(6 + b * h)}h${point(w - 0.6)}v${point(h - 0.6)}h${point(0.6 - w)}z`;
    });
  });
  const cellPaths = paths.map((path, i) => (path === '' ? '' : `<path class="q${i}" d="${path}"/>`)).join('');
  return raw(svg.html.replace('</svg>', `<g>${cellPaths}</g></svg>`));
}

function point(value: number): string {
  return String(Number(value.toFixed(1)));
}

function range(count: number): readonly number[] {
  return Array.from({ length: count }, (_, i) => i);
}

function everyFourth(count: number): readonly number[] {
  return range(count).filter((i) => i % 4 === 0);
}
