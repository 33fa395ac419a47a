/** @file A figure with its caption. */
import type { Study } from '../../routing/index.ts';
import type { Layout } from '../graphviz.ts';
import { markup, raw } from '../html.ts';
import type { Html } from '../html.ts';
import type { Plotter } from '../plot.ts';

/** What figures are made of. */
export interface Sketch {
  readonly study: Study;
  readonly plotter: Plotter;
  readonly layout: Layout;
  /** The command line that made the study. */
  readonly command: string;
}

export interface Figure {
  readonly title: string;
  readonly body: Html;
  /** What is to be seen. */
  readonly caption: Html;
}

export function figure({ title, body, caption }: Figure, number: number, { command }: Sketch): Html {
  return markup`<section>
<h2><span class="number">${number}</span> ${title}</h2>
<figure>
${body}
<figcaption>${caption}
<code class="command">$ ${command}</code></figcaption>
</figure>
</section>
`;
}

export interface Column {
  readonly title: string;
  readonly numeric?: boolean;
}

export function table(columns: readonly Column[], rows: readonly (readonly (string | Html)[])[]): Html {
  const kind = (i: number): Html => raw(columns[i]?.numeric === true ? ' class="n"' : '');
  const head = columns.map(({ title }, i) => markup`<th scope="col"${kind(i)}>${title}</th>`);
  const body = rows.map((row) => markup`<tr>${row.map((cell, i) => markup`<td${kind(i)}>${cell}</td>`)}</tr>\n`);
  return markup`<div class="scroll"><table><thead><tr>${head}</tr></thead>\n<tbody>${body}</tbody></table></div>\n`;
}
