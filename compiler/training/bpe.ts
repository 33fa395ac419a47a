/**
 * @file Trains a byte-level BPE vocabulary, as GPT-2 and OPT use: the most frequent pair of neighbouring symbols
 * becomes a symbol, again and again; pairs never cross the borders of pre-tokens.
 */

/** The special tokens come first, in this order, so that `</s>` has OPT's id 2. */
export const specialTokens = ['<s>', '<pad>', '</s>', '<unk>'] as const;
/** The id of `</s>`, which both begins and ends a text. */
export const END_OF_TEXT = 2;

/** GPT-2's pre-token pattern: contractions, words with the blank before them, numbers, other signs, white space. */
const PRE_TOKEN = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;

export interface BpeVocabulary {
  /** Every token's text in the alphabet of {@link byteLetters}; the index is the id. */
  readonly tokens: readonly string[];
  /** In the order in which they are applied. */
  readonly merges: readonly (readonly [string, string])[];
}

/** One printable letter for each byte (GPT-2's table), so that any byte sequence is a readable string. */
export function byteLetters(): readonly string[] {
  const printable = (byte: number): boolean =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff);
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCharCode(printable(byte) ? byte : next++));
}

interface Word {
  readonly symbols: string[];
  readonly count: number;
}

const SEPARATOR = '\n'; // Not a letter of the byte alphabet.

/**
 * Learns a vocabulary of at most `vocabSize` tokens: the special tokens, the 256 bytes, and merged pairs. Ties are
 * broken by the pair's text, so that the same texts always give the same vocabulary.
 */
export function trainBpe(texts: Iterable<string>, vocabSize: number): BpeVocabulary {
  const letters = byteLetters();
  const words = countWords(texts, letters);
  const pairs = new PairCounts(words);
  const tokens: string[] = [...specialTokens, ...letters];
  const merges: (readonly [string, string])[] = [];
  while (tokens.length < vocabSize) {
    const best = pairs.mostFrequent();
    if (best === undefined) break;
    const [left = '', right = ''] = best.split(SEPARATOR);
    merges.push([left, right]);
    tokens.push(left + right);
    pairs.merge(left, right);
  }
  return { tokens, merges };
}

function countWords(texts: Iterable<string>, letters: readonly string[]): readonly Word[] {
  const counts = new Map<string, number>();
  for (const text of texts) {
    for (const [word] of text.matchAll(PRE_TOKEN)) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  const encoder = new TextEncoder();
  return [...counts].map(([word, count]) => ({
    symbols: Array.from(encoder.encode(word), (byte) => letters[byte] ?? ''),
    count,
  }));
}

/** How often each pair of neighbours occurs, kept up to date while pairs are merged. */
class PairCounts {
  private readonly counts = new Map<string, number>();
  private readonly holders = new Map<string, Set<Word>>();

  constructor(words: readonly Word[]) {
    for (const word of words) this.count(word, 1);
  }

  mostFrequent(): string | undefined {
    let best: string | undefined;
    let bestCount = 1; // A pair that occurs once compresses nothing.
    for (const [pair, count] of this.counts) {
      if (count > bestCount || (count === bestCount && best !== undefined && pair < best)) {
        [best, bestCount] = [pair, count];
      }
    }
    return best;
  }

  merge(left: string, right: string): void {
    for (const word of [...(this.holders.get(left + SEPARATOR + right) ?? [])]) {
      this.count(word, -1);
      const merged = mergePair(word.symbols, left, right);
      word.symbols.splice(0, word.symbols.length, ...merged);
      this.count(word, 1);
    }
  }

  private count(word: Word, sign: 1 | -1): void {
    for (let i = 0; i + 1 < word.symbols.length; i++) {
      const pair = `${word.symbols[i] ?? ''}${SEPARATOR}${word.symbols[i + 1] ?? ''}`;
      const count = (this.counts.get(pair) ?? 0) + sign * word.count;
      const holders = this.holders.get(pair) ?? new Set();
      if (sign === 1) holders.add(word);
      else holders.delete(word);
      if (count === 0) {
        this.counts.delete(pair);
        this.holders.delete(pair);
      } else {
        this.counts.set(pair, count);
        this.holders.set(pair, holders);
      }
    }
  }
}

function mergePair(symbols: readonly string[], left: string, right: string): string[] {
  const merged: string[] = [];
  for (let i = 0; i < symbols.length; i++) {
    const symbol = symbols[i] ?? '';
    if (symbol === left && symbols[i + 1] === right) {
      merged.push(left + right);
      i++;
    } else {
      merged.push(symbol);
    }
  }
  return merged;
}
