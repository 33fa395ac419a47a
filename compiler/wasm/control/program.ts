/** @file All functions of a program. */
import { needsWalk } from '../../../ir/index.ts';
import type { Target } from './bodies.ts';
import { defineDecode } from './decode.ts';
import { defineHead } from './entry.ts';
import { definePrefill } from './prefill.ts';
import { defineReset } from './slots.ts';
import { defineStep } from './step.ts';
import { defineStraight } from './straight.ts';

export function defineProgram(target: Target): void {
  const { module, layout, counters } = target;
  defineReset(target);
  if (needsWalk(layout.program)) {
    definePrefill(target);
    defineDecode(target);
  } else {
    defineStraight(target);
  }
  if (layout.program.sequences > 1) defineStep(target);
  defineHead(target);
  for (const name of ['prefill', 'decode', 'head']) module.export(name);
  if (counters === null) return;
  module.define('counters', { params: [], result: 'i32' }, (f) => {
    f.return(counters);
  });
  module.export('counters');
}
