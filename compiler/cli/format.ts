/** @file Numbers and tables as people read them. */

/** 1.2 KB, 3.4 MB: powers of 1,000. */
export function bytes(count: number): string {
  return `${quantity(count)}B`;
}

/** 1.2 K, 3.4 M, 5.6 G. */
export function quantity(count: number): string {
  const units = ['', 'K', 'M', 'G', 'T'];
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(Math.abs(count), 1)) / 3)));
  const scaled = count / 1000 ** power;
  return `${power === 0 ? String(Math.round(scaled)) : scaled.toFixed(scaled < 10 ? 2 : 1)} ${units[power] ?? ''}`;
}

/** Names from other people's files, safe to print: control characters but line breaks and tabs as JSON escapes them. */
export function visible(text: string): string {
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, escaped);
}

/** Generated text: as it is, but no command to the terminal. */
export function withoutCommands(text: string): string {
  return text.replace(/[\u001b\u0080-\u009f]/g, escaped);
}

function escaped(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** Columns of equal width; those that hold numbers in every row are set to the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, c) => Math.max(title.length, ...rows.map((row) => row[c]?.length ?? 0)));
  const numeric = head.map((_, c) => rows.every((row) => /^[\d.,]*( .{0,3})?$/.test(row[c] ?? '')));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, c) => (numeric[c] === true ? cell.padStart(widths[c] ?? 0) : cell.padEnd(widths[c] ?? 0)))
      .join('  ')
      .trimEnd();
  return [line(head), line(widths.map((width) => '─'.repeat(width))), ...rows.map(line)].join('\n');
}
