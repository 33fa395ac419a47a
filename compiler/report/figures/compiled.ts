/** @file What the program costs before it runs: KV bytes of a token, passes, kernels. */
import type { LevelTable } from '../../routing/index.ts';
import { markup } from '../html.ts';
import type { Html } from '../html.ts';
import { bytes, percent } from '../numbers.ts';
import { table } from './figure.ts';
import type { Figure, Sketch } from './figure.ts';

export function kvFigure({ study }: Sketch): Figure {
  const { kv } = study;
  if (kv === null) {
    return {
      title: 'The KV cache',
      body: markup``,
      caption: markup`No block of this model has attention, so it has no KV cache.`,
    };
  }
  const most = Math.max(kv.worst, kv.static, ...Object.values(kv.policies));
  const row = (name: string | Html, value: number): readonly (string | Html)[] => [
    name,
    bytes(value),
    (value / kv.entryBytes).toFixed(2),
    percent(value / kv.static),
    markup`<span class="bar" style="width:${((100 * value) / most).toFixed(1)}%"></span>`,
  ];
  const rows = [
    row('static: each attention block once', kv.static),
    row('worst case: hop cap, policy, revisits', kv.worst),
    row(markup`<b>expected: the entries of the paths that were taken</b>`, kv.expected),
    ...(['absent', 'project', 'latest'] as const)
      .filter((policy) => policy !== kv.policy)
      .map((policy) => row(`the same paths under policy ${policy}`, kv.policies[policy])),
  ];
  return {
    title: 'The KV cache',
    body: table(
      [
        { title: 'bytes of a token' },
        ...['bytes', 'entries', 'of static'].map((title) => ({ title, numeric: true })),
        { title: '' },
      ],
      rows,
    ),
    caption: markup`Policy ${kv.policy}, revisit ${kv.revisit}, ${bytes(kv.entryBytes)} for an entry of K and V. The
    program reserves the worst case; what tokens really leave is counted from the paths of the studied route, by the
    rules of the policy.`,
  };
}

export function passesFigure({ study }: Sketch): Figure {
  const { levels } = study;
  const rows = levels.map(({ level, blocks, bodies, kernels, kernelsPerToken }) => [
    level,
    ...[blocks, bodies, kernels, kernelsPerToken].map(String),
  ]);
  return {
    title: 'Passes and kernels',
    body: markup`${table(
      [
        { title: 'level' },
        ...['blocks', 'bodies', 'kernels', 'kernels per token'].map((title) => ({
          title,
          numeric: true,
        })),
      ],
      rows,
    )}
      <div class="row passes">
        ${levels.map(
          (level) =>
            markup`<div>
              <p class="panel">${level.level}</p>
              ${passTable(level)}
            </div>`,
        )}
      </div>`,
    caption: markup`Above: what each level comes to; blocks of equal shape share a body, so a body's kernels count once in
    the program. Below: the passes in their order, with operations before and after (from lower on, kernels), and the KV
    bytes of a token behind the pass: each attention block once, and at worst. Faint: the pass changed nothing.`,
  };
}

function passTable({ passes }: LevelTable): Html {
  return table(
    [{ title: 'pass' }, ...['before', 'after', 'KV', 'worst'].map((title) => ({ title, numeric: true }))],
    passes.map(({ name, changed, before, after, kv }) =>
      [name, String(before), String(after), ...[kv?.static, kv?.worst].map((size) => bytes(size ?? 0))].map((cell) =>
        changed ? markup`${cell}` : markup`<span class="faint">${cell}</span>`,
      ),
    ),
  );
}
