/** @file What the cost model predicts against what was measured. */
import type { Fit, Study, TimedPoint, Timing } from '../../routing/index.ts';
import { markup } from '../html.ts';
import type { Html } from '../html.ts';
import { fixed, percent, quantity } from '../numbers.ts';
import type { Plotter } from '../plot.ts';
import { lookOf, nameOf } from '../series.ts';
import { symbolHtml } from './quality.ts';
import { table } from './figure.ts';
import type { Figure, Sketch } from './figure.ts';

export function costFigure({ study, plotter }: Sketch): Figure {
  const { timing } = study;
  if (timing === null) return predictedAlone(study);
  const { fits } = timing;
  const panel = (title: string, of: 'flops' | 'bytes', unit: string): Html =>
    markup`<div>
      <p class="panel">${title}</p>
      ${scatter(study, timing, plotter, { of, unit })}
    </div>`;
  return {
    title: 'Predicted cost and measured time',
    body: markup`<div class="row">
        ${panel('By floating-point operations', 'flops', 'MFLOP')}${panel('By bytes read', 'bytes', 'MB')}
      </div>
      <p class="legend">
        <span class="key"
          >${symbolHtml('times', 'var(--muted)', true)} early exit after 0 … ${study.model.blocks.length} blocks</span
        >
        <span class="key"
          >${symbolHtml('circle', 'var(--learned)', false)} routes of the figure above, in their colours</span
        >
      </p>
      ${table(
        [
          { title: 'predictor' },
          ...['at zero, ms', 'slope', 'R²', 'mean error', 'largest error'].map((title) => ({ title, numeric: true })),
        ],
        [fitRow('operations', fits.flops, 'GFLOP/s'), fitRow('bytes', fits.bytes, 'GB/s')],
      )}`,
    caption: markup`<b>Measured</b> against predicted, for each timed route and for exits at
      ${timing.points.filter(({ exit }) => exit !== null).length} depths. The prediction is the cost model of the passes
      for the executed blocks, k and v that policy ${study.routing.kv} computes at skipped ones, the entry, the head, and
      the decisions of the learned router where it decides. The line is the least-squares fit; its slope, turned over, is the rate that this
      machine reached, and the errors are relative distances from the line.`,
  };
}

function fitRow(name: string, { intercept, slope, r2, meanError, worstError }: Fit, unit: string): readonly string[] {
  // Milliseconds for each: turned over, millions a second.
  const rate = slope > 0 ? `${fixed(1e-6 / slope, 2)} ${unit}` : '–';
  return [name, fixed(intercept, 4), rate, fixed(r2, 4), percent(meanError), percent(worstError)];
}

interface Look {
  readonly of: 'flops' | 'bytes';
  readonly unit: string;
}

function scatter(study: Study, timing: Timing, { plot, draw }: Plotter, { of, unit }: Look): Html {
  const { points, denseMilliseconds, fits } = timing;
  const xOf = ({ predicted }: TimedPoint): number => predicted[of] / 1e6;
  const yOf = ({ ratio }: TimedPoint): number => ratio.median * denseMilliseconds;
  const most = Math.max(...points.map(xOf));
  const { intercept, slope } = fits[of];
  const routed = points.flatMap((point) => {
    const route = point.route === null ? undefined : study.routes[point.route];
    return route === undefined
      ? []
      : [{ x: xOf(point), y: yOf(point), look: lookOf(route.series, study), name: nameOf(route, study) }];
  });
  const ladder = points
    .filter(({ exit }) => exit !== null)
    .map((point) => ({ x: xOf(point), y: yOf(point), name: `exit after ${point.exit ?? 0}` }));
  return draw(`measured time by predicted ${of}`, {
    ...{ width: 470, height: 300, marginLeft: 48, marginRight: 12, marginTop: 24, marginBottom: 38 },
    x: { domain: [0, most * 1.03], label: `predicted, ${unit} per token →` },
    y: { domain: [0, Math.max(...points.map(yOf)) * 1.05], label: '↑ measured, ms per token', grid: true },
    marks: [
      plot.line(
        [0, most].map((x) => ({ x, y: intercept + slope * 1e6 * x })),
        { x: 'x', y: 'y', stroke: 'var(--ink)', strokeWidth: 1 },
      ),
      plot.dot(ladder, {
        x: 'x',
        y: 'y',
        symbol: 'times',
        r: 3.6,
        stroke: 'var(--muted)',
        strokeWidth: 1.4,
        title: 'name',
      }),
      ...routed.map(({ x, y, look, name }) =>
        plot.dot([{ x, y, name }], {
          x: 'x',
          y: 'y',
          title: 'name',
          symbol: look.symbol,
          r: 3.2,
          stroke: look.colour,
          strokeWidth: 1.3,
          fill: look.hollow ? 'var(--paper)' : look.colour,
        }),
      ),
    ],
  });
}

function predictedAlone(study: Study): Figure {
  return {
    title: 'Predicted cost',
    body: table(
      [{ title: 'route' }, { title: 'FLOPs of a token', numeric: true }, { title: 'bytes of a token', numeric: true }],
      study.routes.map((route) => [
        nameOf(route, study),
        quantity(route.predicted.flops),
        quantity(route.predicted.bytes),
      ]),
    ),
    caption: markup`Of the executed blocks, k and v that policy ${study.routing.kv} computes at skipped ones, the entry,
    the head and the learned router's decisions, by the cost model of the passes; the mean over the text. Times were left out (--no-timing).`,
  };
}
