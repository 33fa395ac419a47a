/** @file The script of the report: shows the path of the token that is pointed at, or that the keyboard is on. */

/** Writes text with `textContent` only. */
export const script = `'use strict';
(() => {
  const study = JSON.parse(document.getElementById('study').textContent);
  const panel = document.getElementById('path');
  const tokens = [...document.querySelectorAll('.t')];
  const make = (tag, name, text) => {
    const element = document.createElement(tag);
    element.className = name;
    element.textContent = text;
    return element;
  };
  // What is shown, and what the Tab key leads to.
  let [shown, home] = [-1, 0];
  const show = (i) => {
    if (i === shown) return;
    tokens[home].classList.remove('now');
    tokens[home].tabIndex = -1;
    [shown, home] = [i, i];
    tokens[i].classList.add('now');
    tokens[i].tabIndex = 0;
    const token = study.passage[i];
    const head = make('p', 'path-head', '');
    const distinct = new Set(token.path).size;
    const hops = token.path.length;
    head.append(make('b', '', '“' + tokens[i].textContent.replace(/\\n/g, '') + '”'),
      make('span', 'note', ' position ' + i + ', id ' + token.id + ' · '), make('b', '', hops),
      make('span', 'note', (distinct < hops ? ' hops over ' + distinct : '') + ' of ' + study.model.blocks.length + ' blocks'));
    const strip = make('div', 'strip', '');
    for (const [index, { id, role }] of study.model.blocks.entries()) {
      const visits = token.path.filter((other) => other === id).length;
      const ratio = token.routed[index] ?? token.dense[index];
      const cell = make('span', 'cell ' + role + (visits > 0 ? ' on' : ''), id);
      cell.title = 'block ' + id + ', ' + role + (visits > 1 ? ', ' + visits + ' visits' : '') + (ratio === null ? '' : ', ratio ' + ratio);
      strip.append(cell);
    }
    const isForward = token.path.every((id, hop) => hop === 0 || id > token.path[hop - 1]);
    panel.replaceChildren(head, strip, make('p', 'note', isForward ? '' : 'path: ' + token.path.join(' → ')));
  };
  const indexOf = (event) => {
    const token = event.target instanceof Element ? event.target.closest('.t') : null;
    return token === null ? -1 : Number(token.dataset.i);
  };
  for (const type of ['pointerover', 'focusin', 'click']) {
    document.querySelector('.passage').addEventListener(type, (event) => {
      const i = indexOf(event);
      if (i >= 0) show(i);
    });
  }
  document.querySelector('.passage').addEventListener('keydown', (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    const i = indexOf(event);
    if (step === undefined || i < 0) return;
    event.preventDefault();
    tokens[Math.min(tokens.length - 1, Math.max(0, i + step))].focus();
  });
  for (const token of tokens) token.removeAttribute('title');
})();
`;
