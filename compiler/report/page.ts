/** @file The report: one HTML file that needs nothing else, neither files nor network. */
import { createHash } from 'node:crypto';
import { studyText } from '../routing/index.ts';
import type { Study } from '../routing/index.ts';
import { kvFigure, passesFigure } from './figures/compiled.ts';
import { costFigure } from './figures/cost.ts';
import { depthFigure } from './figures/depths.ts';
import { figure } from './figures/figure.ts';
import type { Sketch } from './figures/figure.ts';
import { graphFigure } from './figures/graph.ts';
import { headHtml } from './figures/head.ts';
import { passageFigure } from './figures/passage.ts';
import { qualityFigure } from './figures/quality.ts';
import { ratioFigure } from './figures/ratios.ts';
import { createLayout } from './graphviz.ts';
import { markup, raw, scriptJson } from './html.ts';
import { createPlotter } from './plot.ts';
import { script } from './script.ts';
import { style } from './style.ts';

/** What a report begins with: a file that does may be replaced by another one. */
export const REPORT_START = '<!doctype html>\n<!-- radial-study -->\n';

const figures = [
  graphFigure,
  ratioFigure,
  depthFigure,
  passageFigure,
  qualityFigure,
  kvFigure,
  passesFigure,
  costFigure,
];

/**
 * The HTML of a study: the same study and command give the same bytes.
 * @param command - the command line that made it, for the captions
 */
export async function reportHtml(study: Study, command: string): Promise<string> {
  const sketch: Sketch = { study, command, plotter: await createPlotter(), layout: await createLayout() };
  const hash = createHash('sha256').update(script).digest('base64');
  const policy = `default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-${hash}'`;
  const { html: page } = markup`<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${study.model.path}: a routing study</title>
<link rel="icon" href="data:,">
<style>${raw(style)}</style>
</head>
<body>
<main>
${headHtml(study)}
${figures.map((make, i) => figure(make(sketch), i + 1, sketch))}
<footer><p>${study.producer}. All numbers of this page are in it as JSON, in the element <code>#study</code>; the command prints the
same with <code>--format=json</code>. What was measured stands there in the field <code>timing</code>.</p></footer>
</main>
<script type="application/json" id="study">${scriptJson(studyText(study))}</script>
<script>${raw(script)}</script>
</body>
</html>
`;
  return REPORT_START + page;
}
