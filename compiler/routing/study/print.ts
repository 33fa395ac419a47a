/** @file A study as JSON. */
import type { Study } from './study.ts';

/** What is not finite is null. */
export function studyText(study: Study): string {
  return `${JSON.stringify(study, null, 1)}\n`;
}
