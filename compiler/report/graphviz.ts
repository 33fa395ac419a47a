/** @file Lays graphs out: Graphviz, compiled to wasm. */
import type { Html } from './html.ts';
import { raw } from './html.ts';

export type Layout = (dot: string, label: string) => Html;

/** Loads the library. */
export async function createLayout(): Promise<Layout> {
  const { Graphviz } = await import('@hpcc-js/wasm-graphviz');
  const graphviz = await Graphviz.load();
  return (dot, label) => raw(tidy(graphviz.layout(dot, 'svg', 'dot'), label));
}

/** For a page: no size but the width, which the style sheet may shrink; tips as titles, instead of the names of nodes. */
function tidy(svg: string, label: string): string {
  return svg
    .slice(svg.indexOf('<svg'))
    .replace(/<svg width="(\d+)pt" height="\d+pt"/, (_, points: string) => {
      return `<svg class="graph" role="img" aria-label="${label}" style="width:${Math.round((Number(points) * 4) / 3)}px"`;
    })
    .replace(/<!--[^]*?-->\s*/g, '')
    .replace(/<title>[^<]*<\/title>\n/g, '')
    .replace(/<a xlink:title="([^"]*)">/g, '<g><title>$1</title>')
    .replace(/<\/a>/g, '</g>')
    .replace(
      / xmlns(:\w+)?="[^"]*"| xml:space="preserve"| font-family="[^"]*"| (fill|stroke)="(lightgrey|black)"/g,
      '',
    );
}
