/** @file How an attention kernel walks the KV list. Pure. */

/** Vectors of V that are summed side by side: as many as stay in registers. */
const MOST_VECTORS = 8;
const VECTOR = 4;

/** Columns of a head that are summed in one sweep over the entries. */
export interface DimGroup {
  readonly from: number;
  /** Groups of four columns. */
  readonly vectors: number;
  /** Columns after them: 0 … 3, only in the last group. */
  readonly singles: number;
}

/** Splits a head's columns into sweeps, none of which reads beyond the head. */
export function dimGroups(headDim: number): readonly DimGroup[] {
  const groups: DimGroup[] = [];
  const whole = Math.floor(headDim / VECTOR);
  for (let vector = 0; vector < whole; vector += MOST_VECTORS) {
    groups.push({ from: vector * VECTOR, vectors: Math.min(MOST_VECTORS, whole - vector), singles: 0 });
  }
  const singles = headDim % VECTOR;
  const last = groups.at(-1);
  if (singles === 0) return groups;
  if (last === undefined || last.vectors === MOST_VECTORS) {
    return [...groups, { from: whole * VECTOR, vectors: 0, singles }];
  }
  return [...groups.slice(0, -1), { ...last, singles }];
}
