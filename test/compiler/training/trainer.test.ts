/** @file Tiny training runs: they learn, they repeat, and an interrupted one ends like one that was not. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startBackend } from '../../../compiler/training/index.ts';
import {
  initialState,
  loadState,
  requireNoState,
  saveState,
  train,
  trainingCodes,
} from '../../../compiler/training/index.ts';
import type { RunState, TrainSettings } from '../../../compiler/training/index.ts';
import { learningRateAt } from '../../../compiler/training/optimizer.ts';
import { RadialError } from '../../../ir/diagnostics/diagnostic.ts';
import { tinySettings, tinyText, withEmptyFolder } from './support.ts';

/** The losses of the steps and the state at the end. */
async function run(
  settings: TrainSettings,
  start = initialState(settings),
  stopAfter = Infinity,
): Promise<[number[], RunState]> {
  const losses: number[] = [];
  const stop = new AbortController();
  const end = await train(tinyText(), settings, start, {
    onStep: ({ step, loss }) => {
      losses.push(loss);
      if (step === stopAfter) stop.abort();
    },
    signal: stop.signal,
  });
  return [losses, end];
}

async function failsWith(code: keyof typeof trainingCodes, action: () => unknown): Promise<void> {
  await assert.rejects(
    async () => action(),
    (error) => {
      assert.ok(error instanceof RadialError, String(error));
      assert.equal(error.diagnostics[0]?.code, code);
      assert.ok(Object.hasOwn(trainingCodes, code));
      return true;
    },
  );
}

describe('training', () => {
  before(startBackend);

  for (const kind of ['adamw', 'muon'] as const) {
    it(`lowers the loss with ${kind}`, async () => {
      const [losses] = await run(tinySettings({ optimizer: { ...tinySettings().optimizer, kind } }));
      assert.equal(losses.length, 24);
      assert.ok((losses.at(-1) ?? 9) < 0.8 * (losses[0] ?? 0), losses.join(' '));
    });
  }

  it('repeats exactly, and depends on the seed', async () => {
    const short = { ...tinySettings().optimizer, steps: 4 };
    const [first] = await run(tinySettings({ optimizer: short }));
    assert.deepEqual((await run(tinySettings({ optimizer: short })))[0], first);
    assert.notDeepEqual((await run(tinySettings({ optimizer: short, seed: 8 })))[0], first);
  });

  for (const layerDrop of [0, 0.5]) {
    it(`continues exactly where it was interrupted, with a layer drop of ${layerDrop}`, () =>
      withEmptyFolder(async (folder) => {
        const settings = tinySettings({ layerDrop });
        const [losses, whole] = await run(settings);
        const [before, half] = await run(settings, undefined, 11);
        const path = join(folder, 'state.safetensors');
        saveState(path, half, 'settings');
        const [after, end] = await run(settings, loadState(path, 'settings'));
        assert.equal(half.step, 11);
        assert.deepEqual([...before, ...after], losses);
        assert.deepEqual(end, whole);
      }));
  }

  it('shares a batch among workers: the same numbers, up to the order of sums, and the same in every run', async () => {
    const short = { ...tinySettings().optimizer, steps: 6 };
    const settings = tinySettings({ batch: 4, layerDrop: 0.3, optimizer: short });
    const [alone] = await run(settings);
    const [shared, end] = await run({ ...settings, workers: 2 });
    assert.equal(shared.length, 6);
    for (const [i, loss] of alone.entries()) {
      assert.ok(Math.abs(loss - (shared[i] ?? NaN)) < 1e-4, `${i}: ${loss}, ${shared[i] ?? 'none'}`);
    }
    assert.deepEqual((await run({ ...settings, workers: 2 }))[1], end);
  });

  it('RC1107: a batch without equal shares', async () => {
    const settings = tinySettings({ batch: 3, workers: 2 });
    await failsWith('RC1107', () => train(tinyText(), settings, initialState(settings)));
  });

  it('calls for checkpoints at their steps and at the end', async () => {
    const settings = tinySettings({ optimizer: { ...tinySettings().optimizer, steps: 5 } });
    const steps: number[] = [];
    const onCheckpoint = ({ step }: RunState): void => {
      steps.push(step);
    };
    await train(tinyText(), settings, initialState(settings), { onCheckpoint, checkpointEvery: 2 });
    assert.deepEqual(steps, [2, 4, 5]);
  });

  it('RC1103: does not save a state that is not finite', async () => {
    const settings = tinySettings();
    for (const which of ['parameters', 'moments'] as const) {
      const start = initialState(settings);
      (which === 'parameters' ? start.parameters : start.moments.second)[0] = which === 'parameters' ? NaN : Infinity;
      const onCheckpoint = (): void => {
        assert.fail('a checkpoint');
      };
      await failsWith('RC1103', () => train(tinyText(), settings, start, { onCheckpoint, checkpointEvery: 1 }));
    }
  });

  it('RC1103: saves the last good state when the loss is not finite', async () => {
    const settings = tinySettings();
    const start = { ...initialState(settings), step: 3 };
    // Finite, and yet too large for what is computed with it.
    start.parameters.fill(3e38, 0, 1000);
    const states: RunState[] = [];
    const onCheckpoint = (state: RunState): void => {
      states.push(state);
    };
    await failsWith('RC1103', () => train(tinyText(), settings, start, { onCheckpoint }));
    const [state, ...others] = states;
    assert.deepEqual([state?.step, others.length], [3, 0]);
    assert.ok(state?.parameters.every((x) => Number.isFinite(x)));
  });

  it('RC1101: too little text', async () => {
    await failsWith('RC1101', () => train(new Uint16Array(50), tinySettings(), initialState(tinySettings())));
  });
});

describe('the state of a run', () => {
  it('RC1102: belongs to its settings', () =>
    withEmptyFolder(async (folder) => {
      const path = join(folder, 'state.safetensors');
      saveState(path, initialState(tinySettings()), 'a');
      await failsWith('RC1102', () => loadState(path, 'b'));
    }));

  it('RC1105: must be there', () =>
    withEmptyFolder((folder) => failsWith('RC1105', () => loadState(join(folder, 'none'), 'a'))));

  it('RC1104: is not overwritten by a new run', () =>
    withEmptyFolder(async (folder) => {
      const path = join(folder, 'state.safetensors');
      requireNoState(path);
      saveState(path, initialState(tinySettings()), 'a');
      await failsWith('RC1104', () => {
        requireNoState(path);
      });
    }));

  it('is refused when it is damaged', () =>
    withEmptyFolder(async (folder) => {
      const path = join(folder, 'state.safetensors');
      writeFileSync(path, 'short');
      await assert.rejects(async () => loadState(path, 'a'), /RC0101/);
    }));
});

describe('the learning rate', () => {
  const cosine = {
    kind: 'adamw',
    schedule: 'cosine',
    learningRate: 1,
    warmup: 10,
    steps: 110,
    weightDecay: 0,
    clip: 1,
  } as const;
  const trapezoid = { ...cosine, schedule: 'trapezoid' } as const;

  it('rises linearly, then falls as a cosine to a tenth', () => {
    assert.equal(learningRateAt(0, cosine), 0.1);
    assert.equal(learningRateAt(9, cosine), 1);
    assert.equal(learningRateAt(10, cosine), 1);
    assert.ok(Math.abs(learningRateAt(60, cosine) - 0.55) < 1e-12);
    assert.ok(Math.abs(learningRateAt(110, cosine) - 0.1) < 1e-12);
    assert.ok(Math.abs(learningRateAt(999, cosine) - 0.1) < 1e-12);
  });

  it('rises linearly, stays, and falls linearly to 0', () => {
    assert.equal(learningRateAt(0, trapezoid), 0.1);
    assert.equal(learningRateAt(9, trapezoid), 1);
    assert.equal(learningRateAt(76, trapezoid), 1);
    assert.ok(Math.abs(learningRateAt(93, trapezoid) - 17 / 33) < 1e-12);
    assert.equal(learningRateAt(110, trapezoid), 0);
    assert.equal(learningRateAt(999, trapezoid), 0);
  });

  it('of a trapezoid does not depend on the length of the run before it falls', () => {
    for (const step of [0, 5, 40, 76]) {
      assert.equal(learningRateAt(step, trapezoid), learningRateAt(step, { ...trapezoid, steps: 300 }));
    }
  });
});
