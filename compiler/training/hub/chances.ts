/** @file The probabilities that a hub's scores stand for, outside of tfjs: for gradients that are written by hand. */

/** The softmax of each row of scores, (rows, columns). */
export function chancesOf(scores: ArrayLike<number>, columns: number): Float64Array {
  const chances = Float64Array.from(scores);
  for (let at = 0; at < chances.length; at += columns) {
    let [top, total] = [-Infinity, 0];
    for (let c = at; c < at + columns; c++) top = Math.max(top, chances[c] ?? NaN);
    for (let c = at; c < at + columns; c++) total += chances[c] = Math.exp((chances[c] ?? NaN) - top);
    for (let c = at; c < at + columns; c++) chances[c] = (chances[c] ?? NaN) / total;
  }
  return chances;
}
