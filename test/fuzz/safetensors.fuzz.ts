/**
 * @file Mutated safetensors files: each is read, or refused with a diagnostic; nothing else may happen.
 *
 * `FUZZ_RUNS` is the number of files (500,000 if not set), `FUZZ_SEED` repeats a run.
 */
import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { OpenFile } from '../../compiler/frontend/files.ts';
import { dtypeBits } from '../../compiler/frontend/weights/dtypes.ts';
import { checkSafetensors } from '../../compiler/frontend/weights/safetensors.ts';
import type { SafetensorsFile } from '../../compiler/frontend/weights/safetensors.ts';
import { RadialError } from '../../ir/diagnostics/diagnostic.ts';

const runs = Number(process.env['FUZZ_RUNS'] ?? 500_000);
const seed = Number(process.env['FUZZ_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const PREFIX = 8;

const headers = [
  '{}',
  '{"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}}',
  '{"__metadata__":{"format":"pt","k":""},"a":{"dtype":"F16","shape":[],"data_offsets":[0,2]}}   ',
  '{"b":{"shape":[3],"data_offsets":[4,7],"dtype":"BOOL"},"a":{"dtype":"BF16","shape":[1,2],"data_offsets":[0,4]},"z":{"dtype":"I64","shape":[0,5],"data_offsets":[7,7]}}',
  '{"\\u0061\\n":{"dtype":"F4","shape":[2],"data_offsets":[0,1]},"é":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}',
];
const dataBytes = [0, 16, 2, 7, 2];

// prettier-ignore
const tokens = [
  '{', '}', '[', ']', ':', ',', '"', '\\', ' ', '\n', '\0', '-', '0', '1', '9', '.', 'e', 'E+', 'null', 'true', 'NaN', '-1', '-0',
  '1.5', '1e400', '1e3', '9007199254740991', '9007199254740993', '18446744073709551615', '00', '"__proto__"', '"constructor"',
  '"__metadata__"', '"dtype"', '"shape"', '"data_offsets"', '"F32"', '"F6_E2M3"', '"\\ud800"', '"\\u0000"', '[[[[[[[[', '{"a":{"a":{"a":',
  '[0,0]', '[4294967296,4294967296]', '"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},', '\ufeff', '\u2028', 'PK\x03\x04',
].map((token) => Buffer.from(token));

/** One change: what to do, where, how long, and with which byte or token. */
const mutation = fc.tuple(fc.nat(9), fc.nat(0xffff), fc.nat(24), fc.nat(0xff));
type Mutation = typeof mutation extends fc.Arbitrary<infer T> ? T : never;

const mutant = fc.record({
  base: fc.nat(headers.length - 1),
  mutations: fc.array(mutation, { minLength: 1, maxLength: 4 }),
  /** Whether the prefix tells the header's true length after the mutations; else they may hit the prefix too. */
  honest: fc.nat(7).map((n) => n > 0),
  /** Bytes added to, or missing from, the end. */
  tail: fc.constantFrom(0, 0, 0, 0, 1, -1),
});
type Mutant = typeof mutant extends fc.Arbitrary<infer T> ? T : never;

/** The tokens of a header, so that one can be replaced whole; strings are one token. */
const TOKEN = /"(?:[^"\\]|\\.)*"|[\d.eE+-]+|[^\s]/g;

function apply(bytes: Buffer, [kind, where, length, value]: Mutation): Buffer {
  const at = bytes.length === 0 ? 0 : where % bytes.length;
  const next = Math.min(at + 1, bytes.length);
  const end = Math.min(bytes.length, at + length);
  const splice = (to: number, insert: Uint8Array): Buffer =>
    Buffer.concat([bytes.subarray(0, at), insert, bytes.subarray(to)]);
  const token = tokens[value % tokens.length] ?? Buffer.alloc(0);
  switch (kind) {
    case 0:
      return splice(next, Uint8Array.of((bytes[at] ?? 0) ^ (1 << (value % 7))));
    case 1:
      return splice(next, Uint8Array.of(value));
    case 2:
      return splice(end, Buffer.alloc(0));
    case 3:
      return splice(at, bytes.subarray(at, end));
    case 4:
      return splice(at, token);
    case 5:
      return splice(at, bytes.subarray((where * 31 + value) % Math.max(1, bytes.length)).subarray(0, length));
    default:
      return replaceToken(bytes, where, token);
  }
}

function replaceToken(bytes: Buffer, where: number, token: Buffer): Buffer {
  const text = bytes.toString('latin1');
  const found = [...text.matchAll(TOKEN)];
  const chosen = found[where % Math.max(1, found.length)];
  if (chosen === undefined) return token;
  const { index, 0: old } = chosen;
  // A third of the time another token of the same header: names, offsets and dtypes then meet in new ways.
  const other = where % 3 === 0 ? found[(where * 7) % found.length]?.[0] : undefined;
  const put = other === undefined ? token : Buffer.from(other, 'latin1');
  return Buffer.concat([bytes.subarray(0, index), put, bytes.subarray(index + old.length)]);
}

function build({ base, mutations, honest, tail }: Mutant): Buffer {
  const header = Buffer.from(headers[base] ?? '');
  const data = Buffer.alloc(Math.max(0, (dataBytes[base] ?? 0) + tail), 7);
  const prefixed = (text: Buffer): Buffer => {
    const prefix = Buffer.alloc(PREFIX);
    prefix.writeBigUInt64LE(BigInt(text.length));
    return Buffer.concat([prefix, text, data]);
  };
  if (!honest) return mutations.reduce(apply, prefixed(header));
  // The outer braces stay, since files without them are refused at once.
  const inside = mutations.reduce(apply, header.subarray(1, header.lastIndexOf('}')));
  return prefixed(Buffer.concat([Buffer.from('{'), inside, Buffer.from('}')]));
}

function inMemory(bytes: Buffer): OpenFile {
  return {
    path: 'fuzz.safetensors',
    size: bytes.length,
    read: (offset, into) => {
      assert.ok(offset >= 0 && offset + into.length <= bytes.length, 'reads outside of the file');
      into.set(bytes.subarray(offset, offset + into.length));
    },
    close: () => undefined,
  };
}

/** What must hold of a file that was accepted, in other words than the reader's. */
function checkAccepted(bytes: Buffer, file: SafetensorsFile): void {
  const length = Number(bytes.readBigUInt64LE());
  const header: unknown = JSON.parse(bytes.toString('utf8', PREFIX, PREFIX + length));
  assert.ok(typeof header === 'object' && header !== null);
  const names = Object.keys(header).filter((name) => name !== '__metadata__');
  assert.deepEqual([...file.tensors.keys()].sort(), names.sort());
  let end = 0;
  for (const { dtype, shape, elements, begin, end: next } of file.tensors.values()) {
    assert.equal(begin, end);
    assert.equal(
      shape.reduce((product, size) => product * BigInt(size), 1n),
      BigInt(elements),
    );
    assert.equal((next - begin) * 8, elements * (dtypeBits.get(dtype) ?? NaN));
    file.readData(begin, new Uint8Array(next - begin));
    end = next;
  }
  assert.equal(PREFIX + length + end, bytes.length);
}

describe('mutated safetensors files', () => {
  it(`are read or refused (${runs} runs, seed ${seed})`, function () {
    this.timeout(0);
    const outcomes = new Map<string, number>();
    const property = fc.property(mutant, (made) => {
      const bytes = build(made);
      let outcome = 'accepted';
      try {
        checkAccepted(bytes, checkSafetensors(inMemory(bytes)));
      } catch (error) {
        if (!(error instanceof RadialError)) throw error;
        outcome = error.diagnostics[0]?.code ?? 'none';
      }
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    });
    fc.assert(property, { numRuns: runs, seed });
    // A fuzzer that never gets past the first check finds nothing.
    assert.ok(runs < 10_000 || outcomes.size >= 12, [...outcomes].join(' '));
  });
});
