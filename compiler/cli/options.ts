/** @file Options that several commands share, with the checks that make a wrong value a usage error. */
import { InvalidArgumentError, Option } from 'commander';
import type { Command } from 'commander';
import type { KvPolicy, RevisitRule } from '../../ir/index.ts';
import type { Format } from './io.ts';

export interface FormatOptions {
  readonly format: Format;
}

export function formatOption(): Option {
  return new Option('--format <format>', 'output for people or for machines').choices(['text', 'json']).default('text');
}

export interface RoutingOptions {
  readonly route?: 'sequential' | 'external' | 'learned';
  readonly kv?: KvPolicy;
  readonly revisit?: RevisitRule;
  readonly maxHops?: number;
}

export interface BuildOptions extends RoutingOptions {
  readonly optLevel?: OptLevel;
  readonly contextWindowSize?: number;
  readonly prefillChunkSize?: number;
  readonly sequences?: number;
  readonly weights?: string;
  readonly dtype?: string;
}

export type OptLevel = 'O0' | 'O1' | 'O2';

/** Options of every command that compiles. */
export function addBuildOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--route <route>',
        'sequential; external: the caller gives each token’s blocks; learned: the routers of the model (default, if it has some)',
      ).choices(['sequential', 'external', 'learned']),
    )
    .addOption(
      new Option('--kv <policy>', 'what an attention block knows of a token that skipped it (default: absent)').choices(
        ['absent', 'project', 'latest'],
      ),
    )
    .addOption(
      new Option('--revisit <rule>', 'a second visit to an attention block (default: overwrite)').choices([
        'overwrite',
        'append',
      ]),
    )
    .option('--max-hops <n>', 'most blocks that a token may execute', wholeNumber(1))
    .addOption(
      new Option('-O, --opt-level <level>', 'O0: as written, O1: clean, O2: fused (default: O2)').argParser(optLevel),
    )
    .option('--context-window-size <n>', 'most positions (default: what the model has)', wholeNumber(1))
    .option('--prefill-chunk-size <n>', 'tokens that prefill takes at a time', wholeNumber(1))
    .option('--sequences <n>', 'sequences that the program holds and steps together (default: 1)', wholeNumber(1))
    .option('--dtype <dtype>', 'number format of the weights, see `radialc targets` (default: fp32)')
    .option('--weights <dir>', 'for a .rir file: the folder with the tensors that it names');
}

/** For commands that go by recorded routes. */
export function routesOption(what: string): Option {
  return new Option('--routes <file>', `${what}; of \`run --record\` with such a program`);
}

function optLevel(value: string): OptLevel {
  const level = value.startsWith('O') ? value : `O${value}`;
  if (level === 'O0' || level === 'O1' || level === 'O2') return level;
  throw new InvalidArgumentError('Levels are O0, O1 and O2.');
}

/** A parser for the name of a folder: an empty one would be the current folder. */
export function folderName(value: string): string {
  if (value === '') throw new InvalidArgumentError('Expected the name of a folder.');
  return value;
}

/** A parser for whole numbers of at least `min`. */
export function wholeNumber(min: number): (value: string) => number {
  return (value) => {
    const number = Number(value);
    if (/^\d+$/.test(value) && Number.isSafeInteger(number) && number >= min) return number;
    throw new InvalidArgumentError(`Expected a whole number of at least ${min}.`);
  };
}

/** A parser for finite numbers of at least `min`. */
export function realNumber(min: number, max = Infinity): (value: string) => number {
  return (value) => {
    const number = Number(value);
    if (value.trim() !== '' && Number.isFinite(number) && number >= min && number <= max) return number;
    throw new InvalidArgumentError(
      `Expected a number${min === -Infinity ? '' : ` of at least ${min}`}${max === Infinity ? '' : ` and at most ${max}`}.`,
    );
  };
}

/** How sure a gate must be. */
export function thresholdOption(): Option {
  return new Option(
    '--threshold <p>',
    'with gates: execute a block where its gate says more than this, 0 (all) to 1 (none)',
  ).argParser(realNumber(0, 1));
}

/** A parser for token ids: `1,2,3`. */
export function idList(value: string): readonly number[] {
  return value.split(',').map((part) => wholeNumber(0)(part.trim()));
}
