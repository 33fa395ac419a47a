/** @file A straight line through points, and how far they are from it. */
import type { Fit } from './study.ts';

/** Least squares over at least two different x; with fewer, a level line. */
export function fitLine(points: readonly (readonly [x: number, y: number])[]): Fit {
  const mean = (of: (point: readonly [number, number]) => number): number =>
    points.reduce((sum, point) => sum + of(point), 0) / points.length;
  const [x, y] = [mean(([value]) => value), mean(([, value]) => value)];
  const variance = mean(([value]) => (value - x) ** 2);
  const slope = variance === 0 ? 0 : mean(([a, b]) => (a - x) * (b - y)) / variance;
  const intercept = y - slope * x;
  const residual = ([a, b]: readonly [number, number]): number => b - (intercept + slope * a);
  const spread = mean(([, value]) => (value - y) ** 2);
  const errors = points.map((point) => Math.abs(residual(point)) / point[1]);
  return {
    intercept,
    slope,
    r2: spread === 0 ? 1 : 1 - mean((point) => residual(point) ** 2) / spread,
    meanError: errors.reduce((sum, error) => sum + error, 0) / errors.length,
    worstError: Math.max(...errors),
  };
}
