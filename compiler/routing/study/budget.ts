/** @file The threshold of gates at which a model executes a share of its blocks, found on the text that it is measured on. */
import { openTexts } from '../eval/texts.ts';
import type { TextRequest, Texts } from '../eval/texts.ts';
import type { Subject } from '../eval/subjects.ts';
import { searchDepth } from '../search.ts';

/** Thresholds that are tried at most. */
const TRIES = 10;
/** How far from the share will do. */
const TOLERANCE = 0.005;
/** What gates say is searched between these two, as log(p / (1 - p)): what lies outside is 0 or 1 to six digits. */
const MOST = 12;

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
    between: (low, high) => Number(sigmoid((logit(low) + logit(high)) / 2).toFixed(6)),
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

function logit(p: number): number {
  return Math.min(MOST, Math.max(-MOST, Math.log(p / (1 - p))));
}

function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}
