/** @file Runs in a folder: their log, what a file that cannot be written costs, and what a run that diverges leaves. */
import assert from 'node:assert/strict';
import { appendFileSync, mkdirSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openWeights } from '../../../compiler/frontend/index.ts';
import { openSafetensors } from '../../../compiler/frontend/weights/safetensors.ts';
import { runSession, tokenizerFiles, trainBpe } from '../../../compiler/training/index.ts';
import type { SessionRequest } from '../../../compiler/training/index.ts';
import { trainedCount } from '../../../compiler/training/trainee.ts';
import { RadialError } from '../../../ir/diagnostics/diagnostic.ts';
import type { DiagnosticCode } from '../../../ir/diagnostics/diagnostic.ts';
import { tinySettings, tinyText, withEmptyFolder } from './support.ts';

const settings = tinySettings({ optimizer: { ...tinySettings().optimizer, steps: 4 } });
const tokenizer = tokenizerFiles(trainBpe(['abc'], 300), settings.shape.context);

function session(out: string, change: Partial<SessionRequest> = {}): Promise<number> {
  const { signal } = new AbortController();
  const request = { out, resume: false, settings, text: tinyText(), tokenizer, checkpointEvery: 2, signal };
  return runSession({ ...request, ...change });
}

/** The run must end in this diagnostic, which names the file. */
async function fails(code: DiagnosticCode, file: string, run: Promise<number>): Promise<void> {
  await assert.rejects(run, (error) => {
    assert.ok(error instanceof RadialError, String(error));
    const [{ code: found, place } = {}] = error.diagnostics;
    assert.deepEqual([found, place?.file], [code, file]);
    return true;
  });
}

function stepsOf(log: string): readonly number[] {
  const lines = readFileSync(log, 'utf8').trimEnd().split('\n');
  return lines
    .map((line) => JSON.parse(line) as { readonly step: number; readonly loss?: number })
    .flatMap(({ step, loss }) => (loss === undefined ? [] : [step]));
}

describe('a run in a folder', function () {
  this.timeout(60_000);

  it('has a log in which each step stands once, also when it was killed after its last checkpoint', () =>
    withEmptyFolder(async (dir) => {
      const stop = new AbortController();
      await session(dir, {
        signal: stop.signal,
        onStep: ({ step }) => {
          if (step === 2) stop.abort();
        },
      });
      const log = join(dir, 'log.jsonl');
      appendFileSync(log, '{"step":3,"loss":3}\n{"step":4,"lo');
      assert.equal(await session(dir, { resume: true }), 4);
      assert.deepEqual(stepsOf(log), [1, 2, 3, 4]);
    }));

  it('RC1102: names the options that differ, and no others', () =>
    withEmptyFolder(async (dir) => {
      await session(dir);
      const resumed = (change: Partial<SessionRequest>): Promise<number> => session(dir, { resume: true, ...change });
      const optimizer = { ...settings.optimizer, learningRate: 0.5, steps: 6 };
      const cases: readonly (readonly [Partial<SessionRequest>, string])[] = [
        [
          { settings: { ...settings, seed: 8, optimizer } },
          '--seed is 8, not 7; --lr is 0.5, not 0.01; --steps is 6, not 4',
        ],
        [{ settings: { ...settings, optimizer: { ...settings.optimizer, clip: 2 } } }, 'optimizer.clip is 2, not 1'],
        [{ text: tinyText().reverse() }, '--text has other tokens'],
        [{ model: new Float32Array(trainedCount(settings)) }, 'the model to begin with, or the teacher, is another'],
      ];
      for (const [change, told] of cases) {
        await assert.rejects(resumed(change), (error: Error) => {
          assert.equal(error.message.split('\n')[0], `error[RC1102]: the run was begun with other settings: ${told}`);
          return true;
        });
      }
    }));

  it('RC1111: saves its steps when its log cannot be written, and goes on later', () =>
    withEmptyFolder(async (dir) => {
      const [whole, halves] = ['whole', 'halves'].map((name) => join(dir, name)) as [string, string];
      await session(whole);
      const log = join(halves, 'log.jsonl');
      const onStep: SessionRequest['onStep'] = ({ step }) => {
        if (step !== 1) return;
        rmSync(log);
        mkdirSync(log);
      };
      await fails('RC1111', log, session(halves, { onStep, checkpointEvery: 4 }));
      rmSync(log, { recursive: true });
      const begun: number[] = [];
      const onBegin: SessionRequest['onBegin'] = ({ step }) => {
        begun.push(step);
      };
      await session(halves, { resume: true, onBegin });
      assert.deepEqual(begun, [2]);
      for (const file of ['state.safetensors', 'model/model.safetensors']) {
        assert.ok(readFileSync(join(whole, file)).equals(readFileSync(join(halves, file))), file);
      }
    }));

  it('RC1111: says that the disk is full', function () {
    if (process.platform !== 'linux') return this.skip();
    return withEmptyFolder(async (dir) => {
      symlinkSync('/dev/full', join(dir, 'log.jsonl'));
      await assert.rejects(session(dir), /RC1111.*ENOSPC[^]*make room on the disk/);
      assert.deepEqual(readdirSync(dir).sort(), ['log.jsonl', 'model', 'state.safetensors']);
    });
  });

  it('RC1111: does not begin where a file is in the place of the folder', () =>
    withEmptyFolder(async (dir) => {
      const out = join(dir, 'file');
      writeFileSync(out, '');
      await fails('RC1111', out, session(out));
      await fails('RC1111', join(out, 'run'), session(join(out, 'run')));
    }));

  for (const [code, name] of [
    ['RC1111', 'model/config.json'],
    ['RC1111', 'model'],
    ['RC0143', 'state.safetensors'],
  ] as const) {
    it(`${code}: keeps the checkpoint before when ${name} cannot be written`, () =>
      withEmptyFolder(async (dir) => {
        const kept = name === 'state.safetensors' ? 'model/model.safetensors' : 'state.safetensors';
        let before: Buffer | undefined;
        const onCheckpoint = (): void => {
          before = readFileSync(join(dir, 'model/model.safetensors'));
          rmSync(join(dir, name), { recursive: true });
          if (name === 'model') writeFileSync(join(dir, name), '');
          else mkdirSync(join(dir, name));
        };
        await fails(code, join(dir, name), session(dir, { onCheckpoint }));
        if (name !== 'model') assert.ok(before?.equals(readFileSync(join(dir, 'model/model.safetensors'))));
        assert.ok(readFileSync(join(dir, kept)).length > 0);
        assert.ok(readdirSync(dir, { recursive: true }).every((entry) => !String(entry).includes('.tmp')));
      }));
  }

  it('RC1103: saves nothing of a run that diverges at once', () =>
    withEmptyFolder(async (dir) => {
      for (const learningRate of [1e30, 1e6]) {
        const optimizer = { ...settings.optimizer, learningRate, warmup: 0 };
        const run = session(dir, { settings: { ...settings, optimizer }, checkpointEvery: 1 });
        await assert.rejects(run, /RC1103.*after step 1 .*F16 cannot[^]*no state was saved before/);
        assert.deepEqual(readdirSync(dir), ['log.jsonl']);
      }
    }));

  it('RC1103: keeps the last checkpoint of a run that diverges, which is finite', () =>
    withEmptyFolder(async (dir) => {
      // The rate rises with each step until the parameters are too large.
      const optimizer = { ...settings.optimizer, learningRate: 1e6, warmup: 100, weightDecay: 0 };
      let last = 0;
      const run = session(dir, {
        settings: { ...settings, optimizer },
        checkpointEvery: 1,
        onCheckpoint: ({ step }) => {
          last = step;
        },
      });
      await assert.rejects(run, (error: Error) => error.message.includes(`the state after step ${last} is kept`));
      assert.ok(last > 0);
      const weights = openWeights(join(dir, 'model'));
      assert.ok(weights.read('model.decoder.embed_tokens.weight', 0, 24 * 16).every((x) => Number.isFinite(x)));
      weights.close();
      const state = openSafetensors(join(dir, 'state.safetensors'));
      assert.equal(state.metadata.get('step'), String(last));
      const entry = state.tensors.get('parameters');
      const parameters = new Float32Array(entry?.elements ?? 0);
      state.readData(entry?.begin ?? 0, new Uint8Array(parameters.buffer));
      state.close();
      assert.ok(parameters.length > 0 && parameters.every((x) => Math.abs(x) < 65520));
    }));
});
