/** @file In what an interrupted run and the one that would resume it differ, in the words of the command line. */

/** Fields of the settings, as paths, and the options that set them. */
const options: readonly (readonly [string, string])[] = [
  ['shape.layers', '--layers'],
  ['shape.hidden', '--hidden'],
  ['shape.heads', '--heads'],
  ['shape.vocab', '--vocab'],
  ['shape.context', '--context'],
  ['batch', '--batch'],
  ['tokens', '--tokens'],
  ['seed', '--seed'],
  ['workers', '--workers'],
  ['layerDrop', '--layer-drop'],
  ['optimizer.kind', '--optimizer'],
  ['optimizer.schedule', '--schedule'],
  ['optimizer.learningRate', '--lr'],
  ['optimizer.gateRate', '--gate-lr'],
  ['optimizer.warmup', '--warmup'],
  ['optimizer.steps', '--steps'],
  ['optimizer.weightDecay', '--weight-decay'],
  ['teacher.weight', '--teacher-weight'],
  ['routed.mode', '--mode'],
  ['routed.targetDepth', '--target-depth'],
  ['routed.budget', '--budget'],
  ['routed.anneal', '--anneal'],
  ['routed.config.router', '--router'],
  ['routed.config.kv', '--kv'],
  ['routed.config.weighting', '--weighting'],
  ['routed.config.gatedBlocks', '--anchor-first or --anchor-last'],
  ['routed.config.anchors', '--anchor-tokens'],
  ['routed.config.maxHops', '--max-hops'],
  ['routed.hub.firstHops', '--first-hops'],
  ['routed.hub.passes', '--passes'],
  ['routed.hub.unroll', '--unroll'],
  ['routed.hub.balance', '--balance'],
  ['routed.hub.noise', '--noise'],
  ['text', '--text'],
];

const MODELS = 'models';

type Fields = ReadonlyMap<string, unknown>;

/** For example `--lr is 0.1, not 0.003`; both are what a state is saved with. */
export function differences(before: string, now: string): string {
  const [old, own] = [fieldsOf(before), fieldsOf(now)];
  if (old === undefined || own === undefined) return 'they cannot be compared';
  const paths = [...new Set([...own.keys(), ...old.keys()])].filter((path) => own.get(path) !== old.get(path));
  const named = options.filter(([path]) => paths.includes(path));
  const rest = paths.filter((path) => !named.some(([known]) => known === path));
  const told = named.map(([path, option]) => {
    if (path === 'text') return '--text has other tokens';
    return `${option} is ${said(own.get(path))}, not ${said(old.get(path))}`;
  });
  if (rest.includes(MODELS)) told.push('the model to begin with, or the teacher, is another');
  // Others follow from the options that are named.
  const all = rest.map((path) => `${path} is ${said(own.get(path))}, not ${said(old.get(path))}`);
  return (told.length > 0 ? told : all).join('; ');
}

/** The settings by path, then the text and the models by their hashes. */
function fieldsOf(identity: string): Fields | undefined {
  const [, json, text, models = ''] = /^(\{.*\}) text (\w+)(.*)$/.exec(identity) ?? [];
  if (json === undefined) return undefined;
  const fields = new Map<string, unknown>();
  flatten(JSON.parse(json), [], fields);
  const [rate, factor] = [fields.get('optimizer.learningRate'), fields.get('optimizer.gateFactor')];
  fields.delete('optimizer.gateFactor');
  if (factor !== undefined) fields.set('optimizer.gateRate', Number((Number(rate) * Number(factor)).toPrecision(6)));
  fields.set('text', text);
  fields.set(MODELS, models);
  return fields;
}

/** Lists are one value. */
function flatten(value: unknown, path: readonly string[], into: Map<string, unknown>): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    into.set(path.join('.'), Array.isArray(value) ? JSON.stringify(value) : value);
    return;
  }
  for (const [key, inner] of Object.entries(value)) flatten(inner, [...path, key], into);
}

function said(value: unknown): string {
  if (value === undefined) return 'none';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
