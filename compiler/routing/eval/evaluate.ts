/** @file Measures a model on text, alone or beside the dense one: what it predicts, how deep and how fast it goes. */
import type { Diagnostic } from '../../../ir/diagnostics/diagnostic.ts';
import type { RadialModel } from '../../../runtime/index.ts';
import type { InputFile } from '../text/files.ts';
import type { Row } from './logits.ts';
import { agreementOf, countRun, createScore, qualityOf } from './score.ts';
import type { Agreement, Quality, Score } from './score.ts';
import type { Subject } from './subjects.ts';
import { openTexts } from './texts.ts';
import type { TextRequest } from './texts.ts';
import { shortTexts } from './windows.ts';
import type { Window } from './windows.ts';

export interface EvaluationRequest extends TextRequest {
  readonly subject: Subject;
  /** The dense model that the subject is compared with. */
  readonly against?: Subject | undefined;
  readonly mode: 'prefill' | 'decode';
  /** Of the subject's gates. */
  readonly threshold?: number | undefined;
  /** From 0 to 1. */
  readonly onProgress?: (share: number) => void;
}

/** Tokens that each model is run on before the clock starts: the engine compiles the program while it runs first. */
const WARMING = 16;

export interface Speed {
  /** That the model ran, warmed up, without what was done to its input and output. */
  readonly seconds: number;
  readonly tokensPerSecond: number;
}

export interface Evaluation {
  readonly files: readonly InputFile[];
  readonly window: number;
  readonly maxTokens: number | null;
  readonly mode: 'prefill' | 'decode';
  readonly windows: number;
  /** Tokens that were predicted. */
  readonly tokens: number;
  /** Bytes of the text, the first token included that nothing predicts where there is no start token. */
  readonly bytes: number;
  readonly model: Quality;
  readonly against: Quality | null;
  readonly agreement: Agreement | null;
  readonly timing: { readonly model: Speed; readonly against: Speed | null };
  /** RC1227. */
  readonly warnings: readonly Diagnostic[];
}

/** A model that is being measured. */
interface Run {
  readonly model: RadialModel;
  readonly score: Score;
  seconds: number;
}

/**
 * Runs the models on all windows of the texts, in memory that does not grow with their length.
 * @throws RadialError RC1203 to RC1205, RC1221 to RC1226, RC0139; the signal's reason
 */
export async function evaluateModel(request: EvaluationRequest): Promise<Evaluation> {
  const { subject, against, paths, maxTokens = null, mode, threshold, signal } = request;
  const texts = await openTexts(against === undefined ? [subject] : [subject, against], request);
  const { files, window } = texts;
  const run: Run = { model: subject.model, score: createScore(), seconds: 0 };
  const dense: Run | undefined = against && { model: against.model, score: createScore(), seconds: 0 };
  let [windows, bytes, longest] = [0, 0, 0];
  for await (const item of texts.windows()) {
    if (windows === 0) {
      const some = item.ids.slice(0, WARMING);
      await dense?.model.forward(some, { mode, signal });
      await run.model.forward(some, { mode, signal, threshold });
    }
    const expected = dense && (await runWindow(dense, item, request));
    await runWindow(run, item, request, expected, threshold);
    windows++;
    bytes += item.bytes;
    longest = Math.max(longest, item.ids.length);
    request.onProgress?.(item.progress);
  }
  return {
    files,
    window,
    maxTokens,
    mode,
    windows,
    tokens: run.score.tokens,
    bytes,
    model: qualityOf(run.score, bytes),
    against: dense === undefined ? null : qualityOf(dense.score, bytes),
    agreement: dense === undefined ? null : agreementOf(run.score),
    timing: { model: speedOf(run), against: dense === undefined ? null : speedOf(dense) },
    warnings: shortTexts(longest, window, paths),
  };
}

/** Counts what the model predicts in a window. Gives its rows. */
async function runWindow(
  run: Run,
  { ids, targets }: Window,
  { mode, signal }: EvaluationRequest,
  dense?: readonly Row[],
  threshold?: number,
): Promise<readonly Row[]> {
  const started = performance.now();
  const result = await run.model.forward(ids, { mode, signal, threshold });
  run.seconds += (performance.now() - started) / 1000;
  return countRun(run.score, result, targets, dense);
}

function speedOf({ score, seconds }: Run): Speed {
  return { seconds, tokensPerSecond: score.tokens / seconds };
}
