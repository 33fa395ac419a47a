/** @file The style sheet of the report: one column, system fonts, light and dark, and on paper. */

/** Yellow, green, blue: even steps of lightness, told apart by all eyes. The last colour stands out most. */
const light = ['#f4f3c4', '#e4f0b6', '#c8e8b4', '#9bd7ba', '#62c0bf', '#35a0bd', '#2477ae', '#234f9a', '#132a63'];
const dark = ['#1e2a45', '#1d365f', '#1d4a80', '#216799', '#26879f', '#46a9a3', '#80c7a2', '#c0e0ab', '#f6f7cf'];

function scale(colours: readonly string[], inks: (step: number) => string): string {
  return colours.map((colour, i) => `--q${i}:${colour};--t${i}:${inks(i)};`).join('');
}

const steps = light
  .map((_, i) => `.q${i}{--fill:var(--q${i});--on:var(--t${i})}path.q${i}{fill:var(--q${i})}`)
  .join('\n');

export const style = `
:root{color-scheme:light dark;
--paper:#fdfcfa;--ink:#1d1d1f;--muted:#6a6a70;--rule:#e2dfd8;--wash:#f4f2ec;
--learned:#0067a8;--oracle:#00805f;--random:#b87700;--static:#c04a00;--exit:#a8508a;
${scale(light, (i) => (i < 6 ? '#1d1d1f' : '#ffffff'))}}
@media (prefers-color-scheme:dark){:root{
--paper:#131417;--ink:#ececee;--muted:#9a9aa3;--rule:#2d2f36;--wash:#1b1d22;
--learned:#6cb8f0;--oracle:#3fc79a;--random:#e8b04a;--static:#f08a4b;--exit:#dc93c2;
${scale(dark, (i) => (i < 4 ? '#ececee' : '#101114'))}}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue","Noto Sans","Liberation Sans",Arial,sans-serif;font-variant-numeric:tabular-nums}
main{max-width:62rem;margin:0 auto;padding:3.5rem 1rem 5rem}
p{margin:0}
code{font:0.9em/1.5 ui-monospace,"SF Mono",Menlo,Consolas,"Liberation Mono",monospace;overflow-wrap:anywhere}
h1{font-size:2.6rem;line-height:1.1;font-weight:650;letter-spacing:-0.02em;margin:0.2rem 0 2rem;overflow-wrap:anywhere}
h2{font-size:1.35rem;font-weight:620;letter-spacing:-0.01em;margin:0 0 1.1rem}
.number{color:var(--muted);font-weight:400;margin-right:0.5rem}
.kicker{color:var(--muted);font-size:0.9rem}
section{margin-top:4.5rem;break-inside:avoid-page}
figure{margin:0}
figcaption{margin-top:1rem;max-width:46rem;color:var(--muted);font-size:0.92rem}
figcaption b{color:var(--ink);font-weight:600}
.command{display:block;margin-top:0.5rem;font-size:0.78rem}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(11rem,1fr));gap:1px;background:var(--rule);border:1px solid var(--rule)}
.tile{background:var(--paper);padding:0.9rem 1.1rem 1rem}
.tile .name,.note{color:var(--muted);font-size:0.84rem}
.tile .value{font-size:1.9rem;line-height:1.3;font-weight:600;letter-spacing:-0.015em}
.studied{margin:1.2rem 0 1.4rem}
dl{display:grid;grid-template-columns:6rem 1fr;gap:0.25rem 1rem;margin:0;font-size:0.92rem}
dt{color:var(--muted)}dd{margin:0;overflow-wrap:anywhere}
.panel{font-size:0.84rem;color:var(--muted);margin:1rem 0 0.35rem}
.row{display:flex;flex-wrap:wrap;gap:0 1rem;justify-content:space-between;align-items:flex-start}
.row>div{min-width:0}
.row .panel:first-child{margin-top:0}
.scroll{overflow-x:auto}
svg{display:block;height:auto;max-width:100%}
.legend svg,.key svg{display:inline-block;vertical-align:-3px}
.legend{font-size:0.84rem;color:var(--muted);margin-top:0.8rem;line-height:1.9}
.key{white-space:nowrap;margin-right:0.9rem}
.gap{display:inline-block;width:1.4rem}
i.q{display:inline-block;width:0.95rem;height:0.95rem;vertical-align:-2px;background:var(--fill);box-shadow:inset 0 0 0 0.5px var(--rule)}
.plot text{white-space:pre}
.plot [aria-label*="grid"]{stroke:var(--rule);stroke-opacity:1}
.plot [aria-label*="tick label"],.plot [aria-label*="axis label"]{fill:var(--muted)}
.plot [aria-label*="axis tick"]:not([aria-label*="label"]){stroke:var(--rule)}
${steps}
.graph{font-family:inherit}
.graph .node:not(.end) polygon,.graph .node ellipse{fill:var(--fill,none);stroke:var(--muted);stroke-width:0.6}
.graph .node text{fill:var(--on,var(--muted));font-family:inherit}
.graph .node.on ellipse,.graph .node.on polygon,.swatch-on{stroke:var(--ink);stroke-width:1.8}
.graph .node.dead ellipse,.graph .node.dead polygon,.swatch-dead{fill:var(--paper);stroke:var(--muted);stroke-dasharray:2,2}
.graph .node.dead text{fill:var(--muted)}
.swatch-on{fill:var(--q8)}
.graph .edge path{fill:none;stroke:var(--muted);stroke-opacity:0.75}
.graph .edge polygon{fill:var(--muted);stroke:none;fill-opacity:0.75}
.graph .edge.back path,.swatch-back{stroke:var(--static)}.swatch-back{stroke-width:2}
.graph .edge.back polygon{fill:var(--static)}
.graph .edge.idle path{stroke-dasharray:2,2}
.graph a{text-decoration:none}
.passage{white-space:pre-wrap;overflow-wrap:anywhere;font-size:1.02rem;line-height:2.05}
.t{background:var(--fill);color:var(--on);padding:0.2em 0;cursor:default;outline-offset:1px;border-radius:2px;box-shadow:inset -1px 0 0 var(--paper)}
.t.now,.t:focus-visible{outline:2px solid var(--ink)}
.path{position:sticky;bottom:0;background:var(--paper);border-top:1px solid var(--rule);margin-top:0.8rem;padding:0.7rem 0 0.5rem;min-height:5.6rem;font-size:0.92rem}
.path>p:first-child:last-child{color:var(--muted)}
.path-head b:first-child{white-space:pre}
.strip{display:flex;flex-wrap:wrap;gap:2px;margin:0.45rem 0 0.2rem}
.cell{flex:0 1 2.2rem;min-width:1.3rem;text-align:center;font-size:0.7rem;line-height:1.5rem;color:var(--muted);border:1px solid var(--rule)}
.cell.attention{border-radius:0.8rem}
.cell.on{background:var(--learned);border-color:var(--learned);color:var(--paper)}
table{border-collapse:collapse;width:100%;font-size:0.86rem;margin-top:0.8rem}
caption{text-align:left;color:var(--muted)}
th{font-weight:500;color:var(--muted);text-align:left;vertical-align:bottom;border-bottom:1px solid var(--ink)}
th,td{padding:0.24rem 0.7rem 0.24rem 0}
td{border-bottom:1px solid var(--rule)}
.n{text-align:right}
.passes table{font-size:0.76rem}
.passes th,.passes td{padding-right:0.4rem}
.passes td.n{white-space:nowrap}
.passes{margin-top:1.6rem}
.passes>div{flex:1 1 16rem}
.passes table{margin-top:0}
.faint{opacity:0.45}
.bar{display:inline-block;min-width:1px;height:0.7rem;background:var(--muted);vertical-align:middle}
td:has(.bar){width:32%}
details summary{cursor:pointer;color:var(--muted);font-size:0.84rem;margin-top:1rem}
footer{margin-top:5rem;padding-top:1rem;border-top:1px solid var(--rule);color:var(--muted);font-size:0.84rem}
@media (max-width:40rem){.graph{max-width:none}}
@media print{
:root{color-scheme:light}
body{font-size:10pt;background:#fff;-webkit-print-color-adjust:exact;print-color-adjust:exact}
main{max-width:none;padding:0}
section{margin-top:2rem}
.path,script{display:none}
.command{color:#000}
}
`;
