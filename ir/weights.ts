/**
 * @file Where the numbers of `tensor("name")` constants come from.
 *
 * A source reads ranges on demand, so that a model is never whole in memory. Stored F32, F16 and BF16 all
 * arrive as f32.
 */
export interface WeightSource {
  /** The stored shape, or undefined when there is no tensor of that name. */
  shape(name: string): readonly number[] | undefined;
  /**
   * Elements `[from, to)` of the row-major tensor, widened to f32. The result belongs to the caller.
   * The name must exist and the range lie inside it.
   */
  read(name: string, from: number, to: number): Float32Array;
  /** Names of all tensors, in file order. */
  names(): readonly string[];
}
