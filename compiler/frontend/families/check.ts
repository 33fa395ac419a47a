/** @file Compares the tensors of a checkpoint with those that the model needs, and tells everything that is wrong at once. */
import { nearest, RadialError } from '../../../ir/diagnostics/diagnostic.ts';
import type { Diagnostic, Place } from '../../../ir/diagnostics/diagnostic.ts';
import type { WeightSource } from '../../../ir/index.ts';
import { quote } from '../quote.ts';
import { isWeightDtype, weightDtypes } from '../weights/dtypes.ts';
import type { Weights } from '../weights/weights.ts';
import type { TensorSpec } from './tensors.ts';

/** A source that also knows how its tensors are stored. */
type TypedWeightSource = WeightSource & Pick<Weights, 'dtype'>;

interface Expected {
  /** What the model is called in messages. */
  readonly title: string;
  readonly needed: readonly TensorSpec[];
  /** What may be there a second time, in the shape of the first. */
  readonly copies: readonly TensorSpec[];
  readonly ignored: readonly RegExp[];
  readonly place: Place;
}

/** So many tensors with one kind of fault are told apart; the rest are counted. */
const MAX_TOLD = 8;
const MAX_EXTRA_NAMES = 5;
/** More names than this are not searched for one that was meant. */
const MAX_CANDIDATES = 2000;

/**
 * The prefix under which most of the tensors are there; the first, when none has more.
 * `specs` gives what is needed under a prefix.
 */
export function detectPrefix(
  prefixes: readonly string[],
  specs: (prefix: string) => readonly TensorSpec[],
  weights: WeightSource,
): string {
  const counts = prefixes.map((prefix) => specs(prefix).filter(({ name }) => weights.shape(name) !== undefined).length);
  return prefixes[counts.indexOf(Math.max(...counts))] ?? '';
}

/** @throws RadialError RC0250 – RC0253 */
export function checkTensors(weights: WeightSource, expected: Expected): void {
  const { needed, place } = expected;
  const extra = extraNames(weights, expected);
  const missing = needed.filter(({ name }) => weights.shape(name) === undefined);
  const problems =
    missing.length === needed.length
      ? [allMissing(weights, expected)]
      : [
          ...told(missing, (spec) => missingTensor(spec, extra, place), {
            code: 'RC0250',
            message: (count) => `${count} more tensors are missing, ${missing.length} of ${needed.length} in all`,
            place,
            help: 'config.json describes a larger model than these weights are, or a shard is missing',
          }),
          ...misshaped(weights, expected),
          ...unusable(weights, expected),
          ...extraTensors(extra, expected),
        ];
  if (problems.length > 0) throw new RadialError(problems);
}

function extraNames(weights: WeightSource, { needed, copies, ignored }: Expected): readonly string[] {
  const known = new Set([...needed, ...copies].map(({ name }) => name));
  return weights.names().filter((name) => !known.has(name) && !ignored.some((pattern) => pattern.test(name)));
}

function allMissing(weights: WeightSource, { title, needed, place }: Expected): Diagnostic {
  const names = weights.names();
  const found = names.length === 0 ? 'it holds no tensors' : `it holds ${list(names)}`;
  return {
    code: 'RC0250',
    severity: 'error',
    message: `the checkpoint has none of the ${needed.length} tensors of this ${title} model; ${found}`,
    place,
    help: `config.json describes another model; a checkpoint of this one has "${needed[0]?.name ?? ''}"`,
  };
}

function missingTensor(spec: TensorSpec, extra: readonly string[], place: Place): Diagnostic {
  const meant = extra.length > MAX_CANDIDATES ? undefined : nearest(spec.name, extra);
  const help =
    meant !== undefined
      ? `did you mean ${quote(meant)}?`
      : spec.name === 'lm_head.weight'
        ? 'if the head is the embedding table, config.json must say "tie_word_embeddings": true'
        : 'get the checkpoint from its source again, with the config.json that belongs to it';
  return {
    code: 'RC0250',
    severity: 'error',
    message: `the tensor "${spec.name}" of shape [${spec.shape.join(', ')}] is missing`,
    place: about(spec, place),
    help,
  };
}

function misshaped(weights: WeightSource, { needed, copies, place }: Expected): readonly Diagnostic[] {
  const wrong = [...needed, ...copies].filter(({ name, shape }) => {
    const found = weights.shape(name);
    return found !== undefined && !(found.length === shape.length && found.every((size, axis) => size === shape[axis]));
  });
  const describe = (spec: TensorSpec): Diagnostic => ({
    code: 'RC0251',
    severity: 'error',
    message: `the tensor "${spec.name}" has shape [${(weights.shape(spec.name) ?? []).join(', ')}], config.json makes it [${spec.shape.join(', ')}]`,
    place: about(spec, place),
    help: copies.includes(spec)
      ? 'config.json ties the head to the embedding; remove this tensor, or use the config.json that belongs to it'
      : 'use the config.json that belongs to these weights',
  });
  return told(wrong, describe, {
    code: 'RC0251',
    message: (count) => `${count} more tensors have other shapes`,
    place,
    help: 'use the config.json that belongs to these weights',
  });
}

function unusable(weights: WeightSource, { needed, copies, place }: Expected): readonly Diagnostic[] {
  if (!isTyped(weights)) return [];
  const help = 'save the model in one of these dtypes, for example with model.float()';
  const wrong = [...needed, ...copies].filter(({ name }) => {
    const dtype = weights.dtype(name);
    return dtype !== undefined && !isWeightDtype(dtype);
  });
  const describe = (spec: TensorSpec): Diagnostic => ({
    code: 'RC0253',
    severity: 'error',
    message: `the tensor "${spec.name}" is stored as ${weights.dtype(spec.name) ?? 'nothing'}, weights are ${weightDtypes.join(', ')}`,
    place: about(spec, place),
    help,
  });
  return told(wrong, describe, {
    code: 'RC0253',
    message: (count) => `${count} more tensors have unusable dtypes`,
    place,
    help,
  });
}

function isTyped(weights: WeightSource): weights is TypedWeightSource {
  return 'dtype' in weights && typeof weights.dtype === 'function';
}

function extraTensors(extra: readonly string[], { title, place }: Expected): readonly Diagnostic[] {
  if (extra.length === 0) return [];
  return [
    {
      code: 'RC0252',
      severity: 'error',
      message: `${extra.length === 1 ? 'a tensor has' : `${extra.length} tensors have`} no place in this ${title} model: ${list(extra)}`,
      place,
      help: 'check that config.json belongs to these weights; merge or remove adapters and other heads',
    },
  ];
}

/** The first of the faulty tensors one by one, then how many more there are. */
function told(
  faulty: readonly TensorSpec[],
  describe: (spec: TensorSpec) => Diagnostic,
  rest: Required<Pick<Diagnostic, 'code' | 'place' | 'help'>> & { readonly message: (count: number) => string },
): readonly Diagnostic[] {
  const diagnostics = faulty.slice(0, MAX_TOLD).map(describe);
  if (faulty.length <= MAX_TOLD) return diagnostics;
  return [...diagnostics, { ...rest, severity: 'error', message: rest.message(faulty.length - MAX_TOLD) }];
}

function list(names: readonly string[]): string {
  const first = names.slice(0, MAX_EXTRA_NAMES).map(quote);
  const more = names.length > MAX_EXTRA_NAMES ? ` and ${names.length - MAX_EXTRA_NAMES} more` : '';
  return `${first.join(', ')}${more}`;
}

function about(spec: TensorSpec, place: Place): Place {
  return { ...place, subject: `tensor "${spec.name}"` };
}
