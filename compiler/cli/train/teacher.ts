/** @file The options of `radialc train` for a teacher: a model whose predictions are learnt besides the text. */
import { isDeepStrictEqual } from 'node:util';
import type { Command } from 'commander';
import { fail } from '../../../ir/diagnostics/diagnostic.ts';
import type { SessionRequest, TrainSettings } from '../../training/index.ts';
import { realNumber } from '../options.ts';

export interface TeacherOptions {
  readonly teacher?: string;
  readonly teacherWeight: number;
}

export function addTeacherOptions(command: Command): Command {
  return command
    .option('--teacher <dir>', 'scratch, joint: a dense model whose predictions are learnt besides the text')
    .option('--teacher-weight <p>', 'the share of that in the loss', realNumber(0, 1), 0.5);
}

interface Taught {
  readonly settings: Pick<TrainSettings, 'teacher'>;
  readonly parameters: SessionRequest['teacher'];
}

/** @throws RadialError RC1109, what loading a model can end with */
export async function teacherOf(
  { teacher: dir, teacherWeight: weight, mode }: TeacherOptions & { readonly mode: string },
  tokens: number,
  tokenizer: SessionRequest['tokenizer'],
): Promise<Taught> {
  if (dir === undefined) return { settings: {}, parameters: undefined };
  if (mode === 'distill') {
    fail('RC1109', '--mode distill has the model itself as its teacher', { help: 'leave --teacher out' });
  }
  const { loadTrainedModel } = await import('../../training/index.ts');
  const { shape, parameters, tokenizer: own, gates } = loadTrainedModel(dir);
  if (gates !== undefined) {
    fail('RC1109', `a teacher has no routers, but ${dir} has`, { help: 'name a model without them' });
  }
  if (!isDeepStrictEqual(own.tokenizer, tokenizer.tokenizer)) {
    fail('RC1109', `the teacher in ${dir} has another tokenizer`, {
      help: 'name a teacher that was trained with the tokenizer of the model',
    });
  }
  if (shape.context < tokens) {
    fail('RC1109', `the teacher in ${dir} takes ${shape.context} tokens, a sequence has ${tokens}`, {
      help: 'give fewer --tokens, or another teacher',
    });
  }
  return { settings: { teacher: { shape, weight } }, parameters };
}
