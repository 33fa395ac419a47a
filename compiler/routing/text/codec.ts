/** @file A model's tokenizer, as texts are cut with it: text and start token apart. */
import type { RadialModel } from '../../../runtime/index.ts';
import type { Encode } from './tokens.ts';

export interface Codec {
  /** What a window begins with: the start token, where the model starts texts with one. */
  readonly start: readonly number[];
  readonly encode: Encode;
  readonly decode: (ids: readonly number[]) => Promise<string>;
}

/** The model must have a tokenizer. */
export function codecOf(model: RadialModel): Codec {
  const { addBos, bos } = model.info.tokens;
  const start = addBos && bos !== null ? [bos] : [];
  return {
    start,
    encode: async (text) => (await model.encode(text)).slice(start.length),
    decode: (ids) => model.decode(ids),
  };
}
