/** @file The tokenizer for models that are compared: where each has one, all of them, and they must agree. */
import { fail } from '../../../ir/diagnostics/diagnostic.ts';
import { RadialRuntimeError } from '../../../runtime/index.ts';
import type { RadialModel } from '../../../runtime/index.ts';
import { codecOf } from '../text/codec.ts';
import type { Codec } from '../text/codec.ts';
import type { Subject } from './subjects.ts';

/**
 * What encodes the text for these models: the tokenizer of the first one that has one. The others must give the same ids.
 * @throws RadialError RC1203, RC1222 (also later, where a text is encoded)
 */
export async function commonCodec(subjects: readonly Subject[]): Promise<Codec> {
  const paths: string[] = [];
  const codecs: Codec[] = [];
  for (const { path, model } of subjects) {
    if (!(await hasTokenizer(model))) continue;
    paths.push(path);
    codecs.push(codecOf(model));
  }
  const [first, ...others] = codecs;
  if (first === undefined) {
    return fail('RC1203', 'the model has no tokenizer', {
      place: { file: subjects.map(({ path }) => path).join(', ') },
      help: 'put its tokenizer.json into the checkpoint folder; radialc explain RC1203 says more',
    });
  }
  for (const { start } of others) {
    if (start.join() !== first.start.join()) differ(paths, 'start a text with other tokens');
  }
  const encode: Codec['encode'] = async (text) => {
    const ids = await first.encode(text);
    for (const other of others) {
      if ((await other.encode(text)).join() !== ids.join()) differ(paths, 'give other ids for this text');
    }
    return ids;
  };
  return { ...first, encode };
}

async function hasTokenizer(model: RadialModel): Promise<boolean> {
  try {
    await model.encode('');
    return true;
  } catch (error) {
    if (error instanceof RadialRuntimeError && error.diagnostics.some(({ code }) => code === 'RC0910')) return false;
    throw error;
  }
}

function differ(paths: readonly string[], how: string): never {
  return fail('RC1222', `the tokenizers of the models ${how}`, {
    place: { file: paths.join(', ') },
    help: 'compare models of one vocabulary, such as a checkpoint and what was compiled from it',
  });
}
