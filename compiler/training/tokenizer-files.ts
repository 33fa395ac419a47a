/** @file A trained vocabulary as Hugging Face's tokenizer.json and tokenizer_config.json. */
import * as tokenizers from '@huggingface/tokenizers';
import { END_OF_TEXT, specialTokens } from './bpe.ts';
import type { BpeVocabulary } from './bpe.ts';

/** What is used of the library; its own declarations cannot be resolved under `nodenext`. */
interface Library {
  encode(text: string, options: { readonly add_special_tokens: boolean }): { readonly ids: readonly number[] };
  decode(ids: number[], options: { readonly skip_special_tokens: boolean }): string;
}
interface LibraryModule {
  readonly Tokenizer: new (tokenizer: object, config: object) => Library;
}

const { Tokenizer } = tokenizers as unknown as LibraryModule;

/** The two files' contents, as JSON values. */
export interface TokenizerFiles {
  readonly tokenizer: object;
  readonly config: object;
}

/** Like OPT's: byte-level, and a text that is encoded with special tokens begins with `</s>`. */
export function tokenizerFiles({ tokens, merges }: BpeVocabulary, context: number): TokenizerFiles {
  const end = specialTokens[END_OF_TEXT];
  const flags = { lstrip: false, rstrip: false, normalized: false, special: true, single_word: false };
  const first = { SpecialToken: { id: end, type_id: 0 } };
  const text = (id: string, typeId: number): object => ({ Sequence: { id, type_id: typeId } });
  return {
    tokenizer: {
      version: '1.0',
      truncation: null,
      padding: null,
      added_tokens: specialTokens.map((content, id) => ({ id, content, ...flags })),
      normalizer: null,
      pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
      post_processor: {
        type: 'TemplateProcessing',
        single: [first, text('A', 0)],
        pair: [first, text('A', 0), first, text('B', 1)],
        special_tokens: { [end]: { id: end, ids: [END_OF_TEXT], tokens: [end] } },
      },
      decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
      model: {
        type: 'BPE',
        dropout: null,
        unk_token: null,
        continuing_subword_prefix: '',
        end_of_word_suffix: '',
        fuse_unk: false,
        byte_fallback: false,
        vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
        merges: merges.map(([left, right]) => `${left} ${right}`),
      },
    },
    config: {
      add_prefix_space: false,
      bos_token: end,
      eos_token: end,
      unk_token: specialTokens[3],
      pad_token: specialTokens[1],
      clean_up_tokenization_spaces: false,
      model_max_length: context,
      tokenizer_class: 'GPT2Tokenizer',
      add_bos_token: true,
    },
  };
}

/** Text to ids and back. */
export interface TextCodec {
  /** Without special tokens. */
  encode(text: string): readonly number[];
  /** Special tokens are left out. */
  decode(ids: readonly number[]): string;
}

export function openTokenizer({ tokenizer, config }: TokenizerFiles): TextCodec {
  const inner = new Tokenizer(tokenizer, config);
  return {
    encode: (text) => inner.encode(text, { add_special_tokens: false }).ids,
    decode: (ids) => (ids.length === 0 ? '' : inner.decode([...ids], { skip_special_tokens: true })),
  };
}
