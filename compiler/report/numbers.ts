/** @file Numbers as the report writes them. */

/** 1.23 K, 4.5 M. */
export function quantity(value: number): string {
  const units = ['', ' K', ' M', ' G', ' T'];
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(Math.abs(value), 1)) / 3)));
  const scaled = value / 1000 ** power;
  const digits = Number.isInteger(scaled) && power === 0 ? 0 : scaled < 10 ? 2 : scaled < 100 ? 1 : 0;
  return `${scaled.toFixed(digits)}${units[power] ?? ''}`;
}

export function bytes(value: number): string {
  const text = quantity(value);
  return text.includes(' ') ? `${text}B` : `${text} B`;
}

export function percent(share: number, digits = 1): string {
  return `${(100 * share).toFixed(digits)} %`;
}

/** Whole numbers in groups of three. */
export function whole(value: number): string {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, '\u202f');
}

/** What is not finite is a dash. */
export function fixed(value: number | null, digits: number): string {
  return value === null || !Number.isFinite(value) ? '–' : value.toFixed(digits);
}
