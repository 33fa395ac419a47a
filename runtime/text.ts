/** @file Text that grows token by token: what a tokenizer offers, and stop strings. */

/** The text of a sequence of tokens, as it grows. */
export interface TextStream {
  /** What the token makes certain: whole characters; '' while one is incomplete. */
  push(id: number): string;
  /** What is left at the end; an incomplete character becomes U+FFFD. */
  flush(): string;
}

export interface Tokenizer {
  /** Ids of a text, without special tokens around it; characters that the vocabulary lacks are left out, or `unk`. */
  encode(text: string): readonly number[];
  /** The text that follows `context`. Special tokens have no text. */
  stream(context: readonly number[]): TextStream;
}

/** Holds text back as long as it could be the start of a stop string. */
export interface StopFilter {
  /** What can be shown, up to a stop string. */
  push(text: string): string;
  /** What was held back. */
  flush(): string;
  /** Whether a stop string has come; nothing is shown after it. */
  stopped(): boolean;
}

export function createStopFilter(stops: readonly string[]): StopFilter {
  let held = '';
  let found = false;
  return {
    push: (text) => {
      if (found) return '';
      held += text;
      const at = firstOf(held, stops);
      found = at >= 0;
      const end = found ? at : held.length - longestStart(held, stops);
      const shown = held.slice(0, end);
      held = found ? '' : held.slice(end);
      return shown;
    },
    flush: () => {
      const rest = held;
      held = '';
      return rest;
    },
    stopped: () => found,
  };
}

/** Where the earliest stop string begins, or -1. */
function firstOf(text: string, stops: readonly string[]): number {
  const places = stops.map((stop) => text.indexOf(stop)).filter((at) => at >= 0);
  return places.length === 0 ? -1 : Math.min(...places);
}

/** Length of the longest end of `text` that begins a stop string. */
function longestStart(text: string, stops: readonly string[]): number {
  const longest = Math.max(0, ...stops.map((stop) => stop.length - 1));
  for (let length = Math.min(longest, text.length); length > 0; length--) {
    const end = text.slice(-length);
    if (stops.some((stop) => stop.length > length && stop.startsWith(end))) return length;
  }
  return 0;
}
