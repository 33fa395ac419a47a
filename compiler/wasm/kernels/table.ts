/** @file One emitter for each line of the kernel table. */
import type { KernelKind } from '../../../ir/index.ts';
import { emitAppend } from './append.ts';
import { emitAttend } from './attend.ts';
import { emitBinary, emitCopy, emitScale, emitUnary } from './elementwise.ts';
import { emitLinear } from './linear.ts';
import { emitNorm } from './norm.ts';
import { emitProbe } from './probe.ts';
import { emitRope } from './rope.ts';
import { emitScore } from './score.ts';
import { emitEmbed, emitPatchify, emitPrepend, emitSelect } from './rows.ts';
import type { Site } from './site.ts';

export const emitters = {
  embed: emitEmbed,
  linear: emitLinear,
  norm: emitNorm,
  unary: emitUnary,
  binary: emitBinary,
  scale: emitScale,
  copy: emitCopy,
  prepend: emitPrepend,
  select: emitSelect,
  patchify: emitPatchify,
  rope: emitRope,
  append: emitAppend,
  attend: emitAttend,
  score: emitScore,
  probe: emitProbe,
} satisfies Readonly<Record<KernelKind, (site: Site) => void>>;
