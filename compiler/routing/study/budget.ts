/** @file The threshold of gates at which a model executes a share of its blocks, found on the text that it is measured on. */
import { openTexts } from '../eval/texts.ts';
import type { TextRequest, Texts } from '../eval/texts.ts';
import type { Subject } from '../eval/subjects.ts';
import { searchDepth } from '../search.ts';

/** Thresholds that are tried at most. */
const TRIES = 10;
/** How far from the share will do. */
const TOLERANCE = 0.005;
/** Of log(p / (1 - p)): what 64-bit floats hold next to 0 and to 1. Gates that were trained long are that sure. */
const [LEAST, MOST] = [-700, 36];

export interface BudgetRequest extends TextRequest {
  /** A model with gates. */
  readonly subject: Subject;
  /** What it is compared with, whose context and tokenizer count, too. */
  readonly against: Subject;
  /** Of the blocks, above 0 and at most 1: the mean over tokens. */
  readonly budget: number;
  /** From 0 to 1. */
  readonly onProgress: (share: number) => void;
}

/** The threshold whose depth is the nearest that was found; gates need not reach every depth. */
export async function thresholdOfBudget(request: BudgetRequest): Promise<number> {
  const { subject, against, budget, onProgress } = request;
  const texts = await openTexts([subject, against], request);
  const blocks = subject.model.info.routing.blocks.length;
  let tries = 0;
  const { threshold } = await searchDepth({
    ...{ target: budget * blocks, tolerance: TOLERANCE * blocks, tries: TRIES },
    // All gates are open at 0.
    ...{ known: budget === 1 ? [{ threshold: 0, depth: blocks }] : [], ends: [0, 1] },
    between: (low, high) => probabilityAt((scaleOf(low) + scaleOf(high)) / 2),
    measure: async (tried) => {
      const depth = await depthOf(subject, texts, tried, {
        ...request,
        onProgress: (share) => {
          onProgress((tries + share) / TRIES);
        },
      });
      tries++;
      return depth;
    },
  });
  onProgress(1);
  return threshold;
}

/** Blocks of the mean token. Routes are the same in prefill and in decode. */
async function depthOf(
  { model }: Subject,
  texts: Texts,
  threshold: number,
  { signal, onProgress }: Pick<BudgetRequest, 'signal' | 'onProgress'>,
): Promise<number> {
  let [executed, tokens] = [0, 0];
  for await (const { ids, progress } of texts.windows()) {
    const { depth } = await model.forward(ids, { threshold, positions: [], signal });
    for (const blocks of depth) executed += blocks;
    tokens += depth.length;
    onProgress(progress);
  }
  return executed / tokens;
}

/** Where a probability lies between the surest gates: even in log(p / (1 - p)) near 1 / 2, in its logarithm far from it. */
function scaleOf(p: number): number {
  return Math.asinh(Math.min(MOST, Math.max(LEAST, Math.log(p / (1 - p)))));
}

/** To four digits of what is missing to 0 or to 1. */
function probabilityAt(scale: number): number {
  const logit = Math.sinh(scale);
  const rest = Number((1 / (1 + Math.exp(Math.abs(logit)))).toPrecision(4));
  return logit < 0 ? rest : 1 - rest;
}
