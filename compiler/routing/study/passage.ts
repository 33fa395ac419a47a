/** @file The texts of single tokens, which may be parts of characters. */

/** What each id adds to the text of those before it; '' where it adds nothing that can be shown yet. */
export async function piecesOf(
  ids: readonly number[],
  decode: (ids: readonly number[]) => Promise<string>,
): Promise<readonly string[]> {
  const pieces: string[] = [];
  let shown = '';
  for (let end = 1; end <= ids.length; end++) {
    // The last characters may still be incomplete; tokenizers write U+FFFD for them.
    const text = (await decode(ids.slice(0, end))).replace(/\ufffd+$/, '');
    const piece = text.startsWith(shown) ? text.slice(shown.length) : text.slice(commonLength(text, shown));
    pieces.push(piece);
    if (piece !== '') shown = text;
  }
  return pieces;
}

function commonLength(a: string, b: string): number {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length++;
  return length;
}
