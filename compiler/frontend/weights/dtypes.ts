/**
 * @file The element types of safetensors files, and the conversions between f32 and the two 16-bit floats.
 *
 * Widening is exact. Narrowing rounds to nearest, ties to even (IEEE 754 roundTiesToEven).
 */

/** Bits per element of every dtype that a safetensors file may hold (safetensors 0.6, `Dtype`). */
export const dtypeBits: ReadonlyMap<string, number> = new Map(
  Object.entries({
    BOOL: 8,
    F4: 4,
    F6_E2M3: 6,
    F6_E3M2: 6,
    U8: 8,
    I8: 8,
    F8_E5M2: 8,
    F8_E4M3: 8,
    F8_E8M0: 8,
    F8_E4M3FNUZ: 8,
    F8_E5M2FNUZ: 8,
    I16: 16,
    U16: 16,
    F16: 16,
    BF16: 16,
    I32: 32,
    U32: 32,
    F32: 32,
    C64: 64,
    F64: 64,
    I64: 64,
    U64: 64,
  }),
);

/** The dtypes that weights may have. */
export const weightDtypes = ['F32', 'F16', 'BF16'] as const;
export type WeightDtype = (typeof weightDtypes)[number];

export const bytesPerWeight: Readonly<Record<WeightDtype, number>> = { F32: 4, F16: 2, BF16: 2 };

/** As `torch_dtype` of a config.json calls them. */
export const torchNames: Readonly<Record<WeightDtype, string>> = { F32: 'float32', F16: 'float16', BF16: 'bfloat16' };

export function isWeightDtype(dtype: string): dtype is WeightDtype {
  return (weightDtypes as readonly string[]).includes(dtype);
}

/** Bit patterns of 16 bits to f32, by a table or a shift; `from` and `to` have the same length. */
export type Widen = (from: Uint16Array, to: Float32Array) => void;

const MAX_F16_PATTERNS = 1 << 16;
let f16Table: Float32Array | undefined;

/** Built on first use: 256 KiB, which turns widening into one load per element. */
function f16Values(): Float32Array {
  f16Table ??= Float32Array.from({ length: MAX_F16_PATTERNS }, (_, bits) => f16ToF32(bits));
  return f16Table;
}

/** The value of one F16 bit pattern: 1 sign, 5 exponent (bias 15), 10 fraction bits. */
export function f16ToF32(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

export const widenF16: Widen = (from, to) => {
  const values = f16Values();
  for (let i = 0; i < from.length; i++) to[i] = values[from[i] ?? 0] ?? 0;
};

export const widenBf16: Widen = (from, to) => {
  const bits = new Uint32Array(to.buffer, to.byteOffset, to.length);
  for (let i = 0; i < from.length; i++) bits[i] = (from[i] ?? 0) << 16;
};

/** The bits of f32 values, in a buffer that is used again by the next call. */
const oneFloat = new Float32Array(1);
const oneWord = new Uint32Array(oneFloat.buffer);

/** The nearest F16 bit pattern; values from 65520 on become infinite. */
export function f32ToF16(value: number): number {
  oneFloat[0] = value;
  const bits = oneWord[0] ?? 0;
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude >= 0x7f800000) return sign | (magnitude > 0x7f800000 ? 0x7e00 : 0x7c00);
  // 65520 is halfway between the largest F16 and the next power of two.
  if (magnitude >= 0x477ff000) return sign | 0x7c00;
  // 2^-14: the smallest normal F16. Below it, a unit in the last place is 2^-24.
  if (magnitude < 0x38800000) return sign | roundToEven(Math.abs(oneFloat[0]) * 2 ** 24);
  return sign | roundHalfEven(magnitude - 0x38000000, 13);
}

/** The nearest BF16 bit pattern: the upper half of the f32, rounded. */
export function f32ToBf16(value: number): number {
  oneFloat[0] = value;
  const bits = oneWord[0] ?? 0;
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7fc0;
  return sign | roundHalfEven(magnitude, 16);
}

/** Shifts right by `shift`, rounding what falls off to nearest, ties to even. */
function roundHalfEven(bits: number, shift: number): number {
  const odd = (bits >>> shift) & 1;
  return (bits + (1 << (shift - 1)) - 1 + odd) >>> shift;
}

function roundToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}
