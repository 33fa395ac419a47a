/**
 * @file Encodes a text of any length piece by piece, such that the pieces' ids are those of the whole text.
 *
 * A piece ends where a single white space stands between two other characters, and only where the tokenizer shows that it
 * does not join what lies on both sides: the ids of the characters around the place must be those before it, followed by
 * those after it. Byte-level tokenizers take the space as the start of the next piece. Those that put a space before every
 * text (SentencePiece) are given the next piece without it.
 *
 * Where no such place is found in the second half of a piece, as in a text without spaces, the piece ends between any two
 * characters; the ids there may be those of two words, or begin with a space that is not in the text. What a piece is
 * depends on the text alone, so all shards of a profile see the same ids.
 */

/** Ids of a text, without a start token. */
export type Encode = (text: string) => Promise<readonly number[]>;

/** UTF-16 units of a piece. */
const PIECE = 8192;
/** Units to each side of a place that is looked at. */
const CONTEXT = 64;
/** Places that are tried. */
const TRIES = 16;

export interface TokenRun<Part> {
  readonly ids: readonly number[];
  /** What these ids stand for; all texts together are the whole. */
  readonly text: string;
  /** The part in which, or before which, this text ends. */
  readonly part: Part;
}

/** @param parts - the text, cut anywhere */
export async function* encodeParts<Part extends { readonly text: string }>(
  parts: Iterable<Part>,
  encode: Encode,
): AsyncGenerator<TokenRun<Part>, void> {
  let rest = '';
  let last: Part | undefined;
  for (const part of parts) {
    rest += part.text;
    last = part;
    let from = 0;
    while (rest.length - from >= PIECE + CONTEXT) {
      const { end, next } = await findCut(rest.slice(from, from + PIECE + CONTEXT), encode);
      yield { ids: await encode(rest.slice(from, from + end)), text: rest.slice(from, from + next), part };
      from += next;
    }
    rest = rest.slice(from);
  }
  if (rest !== '' && last !== undefined) yield { ids: await encode(rest), text: rest, part: last };
}

/** Where a piece ends, and where the next one begins: there, or after the space. */
interface Cut {
  readonly end: number;
  readonly next: number;
}

async function findCut(text: string, encode: Encode): Promise<Cut> {
  let tries = 0;
  for (let at = PIECE; at > PIECE / 2 && tries < TRIES; at--) {
    if (!/^\S\s\S/.test(text.slice(at - 1, at + 2))) continue;
    tries++;
    const [left, right] = [text.slice(at - CONTEXT, at), text.slice(at, at + CONTEXT)];
    const [whole, before] = [await encode(left + right), await encode(left)];
    for (const skipped of [0, 1]) {
      const after = await encode(right.slice(skipped));
      if (equal(whole, [...before, ...after])) return { end: at, next: at + skipped };
    }
  }
  const end = /^[\udc00-\udfff]/.test(text.slice(PIECE)) ? PIECE - 1 : PIECE;
  return { end, next: end };
}

function equal(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((id, i) => id === b[i]);
}
