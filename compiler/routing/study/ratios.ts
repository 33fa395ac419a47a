/** @file Residual ratios of a run: of each token at each block, then medians over tokens and positions. */
import type { Quartiles, RatioTable } from './study.ts';

/** Ratios ‖f‖ / ‖x‖ of a token, by index of block; NaN where it was not executed. */
export type RatioRow = Float32Array;

/** @param norms - ‖x‖, ‖f‖ and ‖x + f‖ of block b from 3 · b on */
export function ratioRow(norms: Float32Array, ids: readonly number[]): RatioRow {
  return Float32Array.from(ids, (id) => (norms[3 * id + 1] ?? NaN) / (norms[3 * id] ?? NaN));
}

/** Of at least one number, by rank ⌊share · (n - 1)⌋. */
export function quartiles(values: Iterable<number>): Quartiles | null {
  const sorted = Float64Array.from(values).sort();
  if (sorted.length === 0) return null;
  const at = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))] ?? NaN;
  return { p25: at(0.25), median: at(0.5), p75: at(0.75) };
}

/** @param windows - rows by position @param bins - first positions, ascending from 0 */
export function ratioTable(
  windows: readonly (readonly RatioRow[])[],
  blocks: number,
  bins: readonly number[],
): RatioTable {
  const table = Array.from({ length: blocks }, (_, block) => {
    const all: number[] = [];
    const byBin: number[][] = bins.map(() => []);
    for (const rows of windows) {
      rows.forEach((row, position) => {
        const ratio = row[block] ?? NaN;
        if (!Number.isFinite(ratio)) return;
        all.push(ratio);
        byBin[bins.findLastIndex((first) => first <= position)]?.push(ratio);
      });
    }
    return { all: quartiles(all), bins: byBin.map((values) => quartiles(values)?.median ?? null) };
  });
  return { blocks: table.map(({ all }) => all), bins: table.map(({ bins: medians }) => medians) };
}

/** First positions of at most `most` bins of equal width. */
export function binsOf(positions: number, most: number): readonly number[] {
  const width = Math.max(1, Math.ceil(positions / most));
  return Array.from({ length: Math.ceil(positions / width) }, (_, i) => i * width);
}

/** Thresholds below which about these shares of all ratios lie, two digits each, ascending, none twice. */
export function thresholdsAt(windows: readonly (readonly RatioRow[])[], shares: readonly number[]): readonly number[] {
  const all = windows.flatMap((rows) => rows.flatMap((row) => [...row].filter(Number.isFinite))).sort((a, b) => a - b);
  return roundedAscending(shares.map((share) => all[Math.floor(share * (all.length - 1))] ?? 0));
}

export function roundedAscending(values: readonly number[]): readonly number[] {
  return [...new Set(values.map((value) => Number(value.toPrecision(2))))].sort((a, b) => a - b);
}
