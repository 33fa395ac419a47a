/** @file Builds checkpoint files, sound and broken, and asserts which diagnostic they end in. */
import assert from 'node:assert/strict';
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { frontendCodes } from '../../../compiler/frontend/codes.ts';
import { RadialError } from '../../../ir/diagnostics/diagnostic.ts';
import type { Diagnostic } from '../../../ir/diagnostics/diagnostic.ts';

type FileContent = Uint8Array | string;

/** Runs with a folder that holds these files, and removes it. */
export function withFolder<T>(files: Readonly<Record<string, FileContent>>, run: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'radialc-test-'));
  try {
    for (const [name, content] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), content);
    }
    return run(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The first diagnostic that `run` ends in; it must have this code, which must be documented. All have a place and help. */
export function failsWith(code: keyof typeof frontendCodes, run: () => unknown): Diagnostic {
  try {
    run();
  } catch (error) {
    if (!(error instanceof RadialError)) throw error;
    const [first] = error.diagnostics;
    assert.ok(first !== undefined);
    assert.equal(first.code, code, error.message);
    assert.ok(Object.hasOwn(frontendCodes, code));
    error.diagnostics.forEach(assertHelpful);
    return first;
  }
  return assert.fail(`expected ${code}, but nothing was wrong`);
}

/** A diagnostic says where the fault is and what would fix it. */
export function assertHelpful({ code, message, place, help }: Diagnostic): void {
  assert.ok(place?.file !== undefined || place?.subject !== undefined, `${code} has no place: ${message}`);
  assert.ok(help !== undefined && help.length > 10, `${code} has no help: ${message}`);
}

interface FileParts {
  /** JSON text, or a value that is turned into it. */
  readonly header: unknown;
  readonly data?: Uint8Array | number;
  /** What the first 8 bytes say, if not the truth. */
  readonly length?: bigint;
}

/** The bytes of a safetensors file; `data` may be a number of zeros. */
export function safetensors({ header, data = 0, length }: FileParts): Uint8Array {
  const text =
    header instanceof Uint8Array ? header : Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(length ?? BigInt(text.byteLength));
  return Buffer.concat([prefix, text, typeof data === 'number' ? Buffer.alloc(data) : data]);
}

/** The entry of a tensor in a header. */
export function entry(dtype: string, shape: readonly unknown[], begin: number, end: number): object {
  return { dtype, shape, data_offsets: [begin, end] };
}
