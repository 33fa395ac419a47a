/** @file How deep tokens go, a histogram for each setting of the studied route. */
import type { RoutePoint } from '../../routing/index.ts';
import { markup } from '../html.ts';
import { depthScale, lookOf } from '../series.ts';
import type { Figure, Sketch } from './figure.ts';

interface Bar {
  readonly setting: string;
  readonly depth: number;
  readonly share: number;
}

interface Mark {
  readonly setting: string;
  readonly depth: number;
  readonly name: string;
}

export function depthFigure({ study, plotter }: Sketch): Figure {
  const { routes, studied, model } = study;
  const main = routes[studied];
  const shown = routes.filter(({ series }) => series === main?.series);
  const blocks = model.blocks.length;
  const settingOf = ({ setting }: RoutePoint): string =>
    setting === null ? '' : `${main?.series === 'learned' ? '>' : '≥'} ${setting}`;
  const most = Math.max(blocks, ...shown.map(({ depths }) => depths.findLastIndex((count) => count > 0)));
  const { stepOf } = depthScale(study);
  const bars = shown.flatMap((route): readonly Bar[] => {
    const total = route.depths.reduce((sum, count) => sum + count, 0);
    return route.depths.flatMap((count, depth) =>
      count === 0 ? [] : [{ setting: settingOf(route), depth, share: count / total }],
    );
  });
  const marks = shown.flatMap((route) => marksOf(route, settingOf(route)));
  const { plot, draw } = plotter;
  const body = draw('histogram of depths', {
    ...{ width: 960, height: 40 + 92 * shown.length, marginTop: 18, marginLeft: 44, marginRight: 84, marginBottom: 34 },
    x: { domain: [-0.6, most + 0.6], tickSize: 0, label: 'blocks that a token executes →', ticks: Math.min(most, 24) },
    y: {
      label: null,
      tickSize: 0,
      tickFormat: (value: number) => `${Math.round(100 * value)} %`,
      ticks: 2,
      grid: true,
    },
    fy: { domain: shown.map(settingOf), label: null, padding: 0.28 },
    marks: [
      plot.rectY(bars, {
        fy: 'setting',
        x1: ({ depth }: Bar) => depth - 0.44,
        x2: ({ depth }: Bar) => depth + 0.44,
        y: 'share',
        fill: ({ depth }: Bar) => `var(--q${stepOf(depth)})`,
        stroke: 'var(--rule)',
        strokeWidth: 0.5,
        title: ({ depth, share }: Bar) => `${depth} blocks: ${(100 * share).toFixed(1)} % of the tokens`,
      }),
      plot.ruleX(marks, { fy: 'setting', x: 'depth', stroke: 'var(--ink)', strokeWidth: 1, strokeDasharray: '2,2' }),
      plot.text(marks, {
        fy: 'setting',
        x: 'depth',
        frameAnchor: 'top',
        dy: -11,
        text: 'name',
        fill: 'var(--muted)',
        fontSize: 10,
      }),
    ],
  });
  const kind = main === undefined ? '' : lookOf(main.series, study).name;
  return {
    title: 'How deep tokens go',
    body,
    caption: markup`Tokens by the number of blocks that they execute, of
    ${blocks}${shown.length > 1 ? markup`; one row for each threshold of the ${kind}, the strictest at the bottom` : ''}.
    Dashed: the median, the 95th and the 99th percentile. The colours are those of the passage below.`,
  };
}

/** Marks at one depth are one mark with all names. */
function marksOf({ depth }: RoutePoint, setting: string): readonly Mark[] {
  const named = [
    ['p50', depth.p50],
    ['p95', depth.p95],
    ['p99', depth.p99],
  ] as const;
  return [...new Set(named.map(([, at]) => at))].map((at) => ({
    setting,
    depth: at,
    name: named
      .filter(([, other]) => other === at)
      .map(([name]) => name)
      .join(' '),
  }));
}
