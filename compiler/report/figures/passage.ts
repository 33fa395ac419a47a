/** @file A passage of the text, each token coloured by its depth; its path is shown on hover and with the keyboard. */
import type { PassageToken } from '../../routing/index.ts';
import { markup } from '../html.ts';
import type { Html } from '../html.ts';
import { depthScale, STEPS } from '../series.ts';
import type { Figure, Sketch } from './figure.ts';

export function passageFigure({ study }: Sketch): Figure {
  const { passage } = study;
  const { low, high, stepOf } = depthScale(study);
  const tokens = passage.map((token, i) => tokenHtml(token, i, stepOf(token.path.length)));
  return {
    title: 'Where the depth goes: a passage',
    body: markup`<div class="passage" role="group" aria-label="passage; arrow keys go from token to token">${tokens}</div>
      <div class="path" id="path" aria-live="polite">
        <p>Point at a token, or press Tab and the arrow keys, to see its path.</p>
      </div>
<p class="legend">${low === 0 ? 'no block' : `${low} blocks or fewer`} ${Array.from({ length: STEPS }, (_, i) => markup`<i class="q q${i}"></i>`)} ${high} or more</p>`,
    caption: markup`The first ${passage.length} positions of the text. The colour of a token is the number of blocks that
    were executed when the model read it, and with that predicted the next one. ⟨start⟩ is the start token, □ a token
    that is part of a character.`,
  };
}

function tokenHtml({ text, path }: PassageToken, index: number, step: number): Html {
  const shown = text === '' ? (index === 0 ? '⟨start⟩' : '□') : text.replaceAll('\n', '⏎\n');
  const tip = `${path.length} blocks: ${path.join(' ')}`;
  const focus = index === 0 ? '0' : '-1';
  return markup`<span class="t q${step}" data-i="${index}" tabindex="${focus}" title="${tip}">${shown}</span>`;
}
