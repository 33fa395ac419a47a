/**
 * @file The one generator of random numbers: SplitMix32 for bits, Box–Muller for normals. Defined here to the bit,
 * because `random` constants and `radialc init` promise the same numbers everywhere.
 */

/** Uniform 32-bit unsigned integers; `seed` is taken modulo 2³². */
export function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  };
}

/** Normal numbers, rounded to f32. */
export function normals(count: number, seed: number, mean: number, std: number): Float32Array {
  const next = createRandom(seed);
  const data = new Float32Array(count);
  for (let i = 0; i < count; i += 2) {
    const radius = Math.sqrt(-2 * Math.log((next() + 1) / 4294967297));
    const angle = (2 * Math.PI * next()) / 4294967296;
    data[i] = mean + std * radius * Math.cos(angle);
    if (i + 1 < count) data[i + 1] = mean + std * radius * Math.sin(angle);
  }
  return data;
}
