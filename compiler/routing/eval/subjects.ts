/** @file What is measured: language models that are alike enough to be compared. */
import { fail } from '../../../ir/diagnostics/diagnostic.ts';
import type { Task } from '../../../ir/index.ts';
import type { RadialModel } from '../../../runtime/index.ts';

/** A model, and what it was opened from, for messages. */
export interface Subject {
  readonly path: string;
  readonly model: RadialModel;
}

/** @throws RadialError RC1221 */
export function requireText(path: string, task: Task): void {
  if (task === 'causal-lm') return;
  fail('RC1221', 'this is an image model, which predicts no text', {
    place: { file: path },
    help: 'name a language model',
  });
}

/** All are language models, of one vocabulary. @throws RadialError RC1221, RC1223 */
export function requireLike(subjects: readonly Subject[]): void {
  for (const { path, model } of subjects) {
    requireText(path, model.info.task);
  }
  const [size, other = size] = subjects.map(({ model }) => model.info.shapes.outputs);
  if (size === other) return;
  fail('RC1223', `the vocabularies of the models have ${size} and ${other} tokens`, {
    place: { file: subjects.map(({ path }) => path).join(', ') },
    help: 'compare models of one vocabulary, such as a checkpoint and what was compiled from it',
  });
}

/** Positions of a window: as many as wanted, or as all contexts have. @throws RadialError RC1224 */
export function windowFor(subjects: readonly Subject[], wanted = Infinity): number {
  const contexts = subjects.map(({ model }) => model.info.shapes.context);
  const most = Math.min(...contexts);
  if (wanted === Infinity || wanted <= most) return Math.min(wanted, most);
  return fail('RC1224', `a window of ${wanted} does not fit into the context of ${most} positions`, {
    place: { file: subjects[contexts.indexOf(most)]?.path ?? '' },
    help: `give a --window of at most ${most}, or compile with a larger --context-window-size`,
  });
}
