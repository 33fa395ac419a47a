/** @file Draws plots: Observable Plot on a document that is no browser's. */
import type * as PlotLibrary from '@observablehq/plot';
import type { PlotOptions } from '@observablehq/plot';
import type { Html } from './html.ts';
import { raw } from './html.ts';

export type Plot = typeof PlotLibrary;

export interface Plotter {
  readonly plot: Plot;
  /** @param label - what screen readers say of the picture */
  readonly draw: (label: string, options: PlotOptions) => Html;
}

/** Loads the libraries. */
export async function createPlotter(): Promise<Plotter> {
  const [plot, { parseHTML }] = await Promise.all([import('@observablehq/plot'), import('linkedom')]);
  const { document } = parseHTML('<!doctype html><html><body></body></html>');
  return {
    plot,
    draw: (label, options) => {
      const figure = plot.plot({
        ...options,
        document,
        className: 'plot',
        ariaLabel: label,
        style: { background: 'none', color: 'inherit', fontFamily: 'inherit', fontSize: '11px', overflow: 'visible' },
      });
      figure.setAttribute('role', 'img');
      return raw(withoutStyles(figure.outerHTML));
    },
  };
}

/** The rules are in the style sheet of the report; coordinates, in tags, need no more than hundredths. */
function withoutStyles(svg: string): string {
  const shorter = (number: string): string => String(Number(Number(number).toFixed(2)));
  return svg.replace(/<style>[^]*?<\/style>/g, '').replace(/<[^>]*>/g, (tag) => tag.replace(/-?\d+\.\d{3,}/g, shorter));
}
