/** @file Quality against depth against measured latency, for every way of routing. */
import type { RoutePoint, Study } from '../../routing/index.ts';
import { markup } from '../html.ts';
import type { Html } from '../html.ts';
import { fixed, percent } from '../numbers.ts';
import type { Plotter } from '../plot.ts';
import { lookOf, nameOf } from '../series.ts';
import { table } from './figure.ts';
import type { Figure, Sketch } from './figure.ts';

interface Dot {
  readonly depth: number;
  /** Of the tokens that were timed. */
  readonly timedDepth: number | undefined;
  readonly kl: number;
  /** Undefined without timing. */
  readonly latency: number | undefined;
  readonly low: number;
  readonly high: number;
  readonly series: RoutePoint['series'];
  readonly name: string;
}

export function qualityFigure(sketch: Sketch): Figure {
  const { study } = sketch;
  const { timing, model } = study;
  return {
    title: 'Quality, depth and measured time',
    body: markup`<div class="row">${panelsOf(sketch)}</div>
      ${legend(study)} ${qualityTable(study)}`,
    caption: markup`Down and to the left is better. Each mark is a way of routing on the same ${study.text.tokens} tokens;
    lines join the settings of one.
    ${
      timing === null
        ? 'Times were left out (--no-timing).'
        : markup`<b>Measured:</b> decode milliseconds per token, as a ratio to the dense model
            (${fixed(timing.denseMilliseconds, 3)} ms), in ${timing.rounds} rounds of interleaved pairs over
            ${timing.tokens} tokens in this process; the median of the ratios, bars from quartile to quartile.
            ${model.router === null ? '' : 'The learned router decides while it is timed; all others '}${model.router === null ? 'All' : ''}
            replay the paths that were taken. Dotted: time in proportion to the depth of the timed tokens, which begin
            the windows.`
    }
    An oracle knows what it skips, so no router can be expected to reach it; random, static and early exit know nothing
    of the token.`,
  };
}

type Axes = readonly [x: 'depth' | 'timedDepth' | 'latency', y: 'kl' | 'latency'];

/** Small multiples: those beside each other have the same y, those that belong together the same x. */
function panelsOf({ study, plotter }: Sketch): readonly Html[] {
  const { timing, model } = study;
  const dots = dotsOf(study);
  const top = Math.max(...dots.map(({ kl }) => kl));
  const slowest = Math.max(1, ...dots.map(({ high }) => high));
  const ticks = [0, 0.01, 0.1, 0.5, 1, 2, 4, 8].filter((tick) => tick <= top && (tick === 0 || tick > top / 300));
  const deepest = [0, Math.max(model.blocks.length, ...dots.map(({ depth }) => depth))];
  const scales = {
    depth: { domain: deepest, label: 'mean depth, blocks' },
    timedDepth: { domain: deepest, label: 'mean depth of the timed tokens' },
    kl: { type: 'sqrt', domain: [0, top], label: 'KL(dense ‖ route), nats', ticks, tickFormat: String, grid: true },
    latency: { domain: [0, slowest], label: 'decode time, dense = 1', grid: true, ticks: 6 },
  } as const;
  const panel = (title: string, axes: Axes): Html => {
    const [x, y] = axes;
    const shown = dots.filter((dot) => !axes.includes('latency') || dot.latency !== undefined);
    const proportional = [
      { timedDepth: 0, latency: 0 },
      { timedDepth: model.blocks.length, latency: 1 },
    ];
    const picture = plotter.draw(title, {
      ...{ width: timing === null ? 480 : 304, height: 300 },
      ...{ marginLeft: 34, marginRight: 10, marginTop: 26, marginBottom: 38 },
      x: { ...scales[x], grid: false, label: `${scales[x].label} →`, tickSize: 0 },
      y: { ...scales[y], label: `↑ ${scales[y].label}`, tickSize: 0 },
      marks: [
        ...(y === 'latency'
          ? [plotter.plot.line(proportional, { x, y, stroke: 'var(--muted)', strokeDasharray: '1,3' })]
          : []),
        ...marksOf(study, plotter, shown, axes),
      ],
    });
    return markup`<div><p class="panel">${title}</p>${picture}</div>`;
  };
  return [
    panel('Quality by depth', ['depth', 'kl']),
    ...(timing === null
      ? []
      : [
          panel('Quality by measured time', ['latency', 'kl']),
          panel('Measured time by depth', ['timedDepth', 'latency']),
        ]),
  ];
}

function dotsOf(study: Study): readonly Dot[] {
  return study.routes.map((route, i) => {
    const timed = study.timing?.points.find((point) => point.route === i);
    const ratio = route.series === 'dense' && study.timing !== null ? { p25: 1, median: 1, p75: 1 } : timed?.ratio;
    return {
      timedDepth: route.series === 'dense' ? route.depth.mean : timed?.depth,
      ...{ depth: route.depth.mean, kl: route.kl, latency: ratio?.median, series: route.series },
      low: ratio?.p25 ?? 0,
      high: ratio?.p75 ?? 0,
      name: nameOf(route, study),
    };
  });
}

function marksOf(study: Study, { plot }: Plotter, dots: readonly Dot[], [x, y]: Axes) {
  return [...new Set(dots.map(({ series }) => series))].flatMap((series) => {
    const { colour, symbol, hollow } = lookOf(series, study);
    const mine = dots.filter((dot) => dot.series === series).toSorted((a, b) => a.depth - b.depth);
    const bars = { stroke: colour, strokeOpacity: 0.45 };
    return [
      plot.line(mine, {
        x,
        y,
        stroke: colour,
        strokeWidth: 1.2,
        strokeOpacity: 0.55,
        ...(series === 'oracle-off' && { strokeDasharray: '3,3' }),
      }),
      ...(x === 'latency' ? [plot.ruleY(mine, { y, x1: 'low', x2: 'high', ...bars })] : []),
      ...(y === 'latency' ? [plot.ruleX(mine, { x, y1: 'low', y2: 'high', ...bars })] : []),
      plot.dot(mine, {
        x,
        y,
        symbol,
        r: series === 'dense' ? 5 : 3.4,
        stroke: colour,
        strokeWidth: 1.4,
        fill: hollow ? 'var(--paper)' : colour,
        title: 'name',
      }),
    ];
  });
}

function legend(study: Study): Html {
  const present = [...new Set(study.routes.map(({ series }) => series))];
  return markup`<p class="legend">
    ${present.map((series) => {
      const look = lookOf(series, study);
      return markup`<span class="key">${symbolHtml(look.symbol, look.colour, look.hollow)} ${look.name}</span> `;
    })}
  </p>`;
}

const shapes = {
  circle: 'M8 4a4 4 0 1 0 0.01 0z',
  triangle: 'M8 3.4L12.4 11H3.6z',
  square: 'M4.6 4.6h6.8v6.8H4.6z',
  diamond: 'M8 3L11.6 8L8 13L4.4 8z',
  times: 'M4.5 4.5L11.5 11.5M11.5 4.5L4.5 11.5',
  star: 'M8 2l1.5 4.3h4.5l-3.6 2.7l1.3 4.4L8 10.800l-3.700 2.600l1.300-4.400L2 6.300h4.500z',
} as const;

/** A key of the legend, as the plots draw it. */
export function symbolHtml(symbol: keyof typeof shapes, colour: string, hollow: boolean): Html {
  return markup`<svg width="16" height="16" aria-hidden="true">
    <path d="${shapes[symbol]}" style="stroke:${colour};fill:${hollow ? 'none' : colour};stroke-width:1.4" />
  </svg>`;
}

function qualityTable(study: Study): Html {
  const { timing, routes, studied } = study;
  const rows = routes.map((route, i) => {
    const timed = timing?.points.find((point) => point.route === i);
    const { series, setting, depth, skipped, perplexity, kl, top1 } = route;
    const name = series === routes[i - 1]?.series ? '' : lookOf(series, study).name;
    const text = setting === null ? '' : String(setting);
    return [
      name,
      i === studied ? markup`<b>${text === '' ? 'studied' : `${text}, studied`}</b>` : text,
      ...[depth.mean.toFixed(2), percent(skipped), fixed(perplexity, 2), fixed(kl, 4), percent(top1)],
      ...(timing === null ? [] : [series === 'dense' ? '1' : fixed(timed?.ratio.median ?? null, 3)]),
    ];
  });
  const numbers = ['depth', 'skipped', 'perplexity', 'KL', 'top-1', ...(timing === null ? [] : ['time (measured)'])];
  return markup`<details><summary>All ${routes.length} routes as a table</summary>
${table([{ title: 'route' }, ...['setting', ...numbers].map((title) => ({ title, numeric: true }))], rows)}</details>`;
}
