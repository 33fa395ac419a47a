/**
 * @file A trigram model with interpolated Kneser–Ney smoothing, to compare a network with.
 *
 * Of each context's counts a part, the discount, goes to the next shorter context; shorter contexts count in how many
 * different places a token occurs rather than how often (Kneser and Ney, 1995; Chen and Goodman, 1999, section 2.7).
 */

export interface TrigramModel {
  /** P(token | before, last); the sum over all tokens is 1. */
  probability(before: number, last: number, token: number): number;
}

/** What is known of the tokens that followed one context. */
interface Followers {
  /** Sum of the counts. */
  total: number;
  /** How many tokens are among them. */
  distinct: number;
}

/** Counts of tokens by context, with the discount that their singletons suggest. */
interface Level {
  readonly counts: Map<number, number>;
  readonly followers: Map<number, Followers>;
  readonly discount: number;
}

/**
 * Counts the trigrams of a text.
 * @param text ids below `vocab`
 */
export function trainTrigram(text: Uint16Array, vocab: number): TrigramModel {
  const trigrams = new Map<number, number>();
  for (let i = 2; i < text.length; i++) {
    const [a = 0, b = 0, c = 0] = text.subarray(i - 2, i + 1);
    add(trigrams, (a * vocab + b) * vocab + c, 1);
  }
  const third = levelOf(trigrams, vocab);
  const second = levelOf(placesOf(trigrams, vocab ** 2), vocab);
  const first = levelOf(placesOf(second.counts, vocab), vocab);
  const blend = (level: Level, context: number, token: number, shorter: number): number => {
    const seen = level.followers.get(context);
    if (seen === undefined) return shorter;
    const count = level.counts.get(context * vocab + token) ?? 0;
    const rest = (level.discount * seen.distinct) / seen.total;
    return Math.max(count - level.discount, 0) / seen.total + rest * shorter;
  };
  return {
    probability: (before, last, token) => {
      const unigram = blend(first, 0, token, 1 / vocab);
      const bigram = blend(second, last, token, unigram);
      return blend(third, before * vocab + last, token, bigram);
    },
  };
}

/** Nats per token of those from the third on. */
export function trigramLoss(model: TrigramModel, text: Uint16Array): number {
  let sum = 0;
  for (let i = 2; i < text.length; i++) {
    const [a = 0, b = 0, c = 0] = text.subarray(i - 2, i + 1);
    sum -= Math.log(model.probability(a, b, c));
  }
  return sum / (text.length - 2);
}

/** n-grams without their first token: in how many n-grams each occurs. */
function placesOf(counts: ReadonlyMap<number, number>, modulus: number): Map<number, number> {
  const places = new Map<number, number>();
  for (const key of counts.keys()) add(places, key % modulus, 1);
  return places;
}

function levelOf(counts: Map<number, number>, vocab: number): Level {
  const followers = new Map<number, Followers>();
  let once = 0;
  let twice = 0;
  for (const [key, count] of counts) {
    if (count === 1) once++;
    if (count === 2) twice++;
    const context = Math.floor(key / vocab);
    const seen = followers.get(context);
    if (seen === undefined) {
      followers.set(context, { total: count, distinct: 1 });
    } else {
      seen.total += count;
      seen.distinct++;
    }
  }
  return { counts, followers, discount: once === 0 ? 0.5 : once / (once + 2 * twice) };
}

function add(counts: Map<number, number>, key: number, amount: number): void {
  counts.set(key, (counts.get(key) ?? 0) + amount);
}
