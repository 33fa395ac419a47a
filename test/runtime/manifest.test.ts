/** @file Hostile and damaged manifests are refused. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { manifestText, readManifest, textToSign } from '../../runtime/artifact/index.ts';
import type { Manifest } from '../../runtime/artifact/index.ts';
import { CHUNK_BYTES, chunkFile } from '../../runtime/artifact/manifest.ts';
import { VOCAB, hasCode, toyContents } from './toy.ts';

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const HASH = sha256(encode(''));

const program = toyContents({ routed: true, tokens: { bos: 1, addBos: true, eos: [2] } }).info;

function valid(): Manifest {
  const unsigned = {
    format: 'radial-artifact',
    formatVersion: 1,
    producer: { name: 'radialc', version: '0.0.0' },
    program,
    wasm: { file: 'model.wasm', bytes: 10, sha256: HASH },
    weights: [{ file: chunkFile(0, HASH), bytes: VOCAB * 4, sha256: HASH }],
    tokenizer: [{ file: 'tokenizer.json', bytes: 10, sha256: HASH }],
    loader: ['index.d.ts', 'index.js', 'tokenizer.js'].map((file) => ({ file, bytes: 10, sha256: HASH })),
    ir: [{ file: 'kernels.rir', bytes: 10, sha256: HASH }],
  } as const;
  return { ...unsigned, sha256: sha256(encode(textToSign(unsigned))) };
}

/** Signed anew, as someone who means harm would. */
function signed(manifest: Json): Uint8Array {
  const hash = sha256(encode(textToSign(manifest as unknown as Manifest)));
  return encode(manifestText({ ...(manifest as unknown as Manifest), sha256: hash }));
}

/** The manifest with the value at `path` replaced. */
function changed(path: string, value: Json | undefined): Json {
  const root = JSON.parse(JSON.stringify(valid())) as Json;
  const keys = path.split('.');
  let at = root as Record<string, Json>;
  for (const key of keys.slice(0, -1)) at = at[key] as Record<string, Json>;
  const last = keys.at(-1) ?? '';
  if (value === undefined) Reflect.deleteProperty(at, last);
  else at[last] = value;
  return root;
}

const reading = (bytes: Uint8Array): Promise<Manifest> => readManifest(bytes, sha256);

async function refuses(path: string, value: Json | undefined, code = 'RC0803'): Promise<void> {
  await assert.rejects(reading(signed(changed(path, value))), hasCode(code), `${path} = ${JSON.stringify(value)}`);
}

describe('manifest', () => {
  it('reads what was written', async () => {
    const manifest = valid();
    assert.deepEqual(await reading(encode(manifestText(manifest))), manifest);
    assert.deepEqual(await reading(signed(changed('program.name', 'other'))), {
      ...manifest,
      program: { ...manifest.program, name: 'other' },
      sha256: (await reading(signed(changed('program.name', 'other')))).sha256,
    });
  });

  it('notices every changed byte', async () => {
    const bytes = encode(manifestText(valid()));
    for (let at = 0; at < bytes.byteLength; at++) {
      for (const flip of [1, 0x20]) {
        const damaged = bytes.slice();
        damaged[at] = (damaged[at] ?? 0) ^ flip;
        await assert.rejects(reading(damaged), { name: 'RadialError' }, `byte ${at}`);
      }
    }
  }).timeout(120_000);

  it('notices missing, added and rearranged bytes', async () => {
    const text = manifestText(valid());
    const others = [
      text.slice(0, -1),
      `${text}\n`,
      `\ufeff${text}`,
      text.replace('"radialc"', '"radi\\u0061lc"'),
      text.replace('"formatVersion":1', '"formatVersion":1.0'),
      text.replace('"formatVersion":1', '"formatVersion":1,"formatVersion":1'),
      JSON.stringify(JSON.parse(text)),
    ];
    for (const other of others) await assert.rejects(reading(encode(other)), { name: 'RadialError' });
    for (let length = 0; length < text.length; length += 97) {
      await assert.rejects(reading(encode(text.slice(0, length))), hasCode('RC0802'));
    }
  });

  it('is not what something else is', async () => {
    const html = encode('<!DOCTYPE html><html></html>');
    await assert.rejects(reading(html), hasCode('RC0802', /HTML/));
    for (const text of ['', '{}', '[]', '3', 'null', '{"format":"radial"}', '[['.repeat(100_000)]) {
      await assert.rejects(reading(encode(text)), hasCode('RC0802'));
    }
    await assert.rejects(reading(Uint8Array.of(0x7b, 0xff, 0x7d)), hasCode('RC0802', /UTF-8/));
    const deep = `{"format":"radial-artifact","formatVersion":1,"producer":${'['.repeat(50_000)}${']'.repeat(50_000)}}`;
    await assert.rejects(reading(encode(deep)), { name: 'RadialError' });
  });

  it('tells of other versions', async () => {
    await refuses('formatVersion', 2, 'RC0804');
    await refuses('formatVersion', 0, 'RC0804');
    await refuses('formatVersion', '1');
  });

  it('has all its fields, and no others', async () => {
    const fields = [
      ...[
        'producer',
        'program',
        'wasm',
        'weights',
        'tokenizer',
        'loader',
        'ir',
        'producer.version',
        'wasm.sha256',
        'weights.0.bytes',
      ],
      ...['name', 'task', 'shapes', 'labels', 'tokens', 'routing', 'kv', 'memory', 'abi'].map(
        (name) => `program.${name}`,
      ),
      ...[
        'shapes.hidden',
        'shapes.image',
        'tokens.bos',
        'routing.entry',
        'routing.blocks.0.role',
        'memory.bytes',
        'abi.walk',
        'abi.x',
      ].map((name) => `program.${name}`),
    ];
    for (const field of fields.slice(0, -1)) await refuses(field, undefined);
    for (const field of ['extra', 'program.extra', 'program.abi.extra', 'program.__proto__x', 'wasm.url']) {
      await refuses(field, 1);
    }
    for (const field of fields.slice(0, -1)) {
      for (const value of ['x', -1, [[]], { a: 1 }]) {
        await refuses(field, value).catch((error: unknown) => {
          // A name may be any text.
          if (!/version|name/.test(field) || value !== 'x') throw error;
        });
      }
    }
  });

  it('has numbers in their ranges', async () => {
    const bad: readonly (readonly [string, readonly Json[]])[] = [
      ['program.shapes.hidden', [0, -1, 1.5, '64', 1e12]],
      ['program.shapes.vocabulary', [0, -1, 1e12]],
      ['program.shapes.outputs', [0, 1e12, 100_000]],
      ['program.shapes.context', [0, 2 ** 40]],
      ['program.shapes.chunk', [0, 1_000_000]],
      ['program.shapes.headRows', [0, 5]],
      ['program.memory.bytes', [0, 65_535, 65_537, 2 ** 33, 2 ** 53]],
      ['program.memory.weightsAt', [-4, 65_537, 3]],
      ['program.memory.weightsBytes', [-1, 65_536, 2 ** 40]],
      ['program.tokens.bos', [-1, VOCAB]],
      ['program.tokens.eos', [[VOCAB], [0.5], 'x', Array.from({ length: 1001 }, () => 0)]],
      ['program.labels', [['a'], [3]]],
      ['program.routing.maxHops', [-1, 1e9, 65_537]],
      ['program.routing.kv', ['copy', null]],
      ['program.routing.needsWalk', [false, 0]],
      ['program.routing.decides', ['sweep', 'hop', 3]],
      ['program.routing.threshold', [-0.1, 1.5, '0.5', null]],
      ['program.routing.anchors', [-1, 0.5]],
      ['program.routing.weighting', ['none', null, 1]],
      ['program.routing.blocks.0.gated', [0, null, true]],
      ['program.routing.blocks.1.router', ['gate', 'hub']],
      ['program.routing.entry.successors', [[], [4], [-1], ['entry'], [1.5]]],
      ['program.routing.blocks.1.id', [0, 2, 7, -1]],
      ['program.routing.blocks.3.id', [65_536]],
      ['program.routing.blocks.0.successors', [[9]]],
      ['program.routing.blocks.0.router', ['learned', 3]],
      ['program.kv', [{}, 3]],
      ['program.abi.ids', [null]],
      ['program.abi.walk', [null]],
      ['program.abi.ids.at', [-4, 2, 65_532, 2 ** 32, 1e300]],
      ['program.abi.walk.stride', [5, 1_000_000_000]],
      ['program.abi.logits.rows', [1, 1_000_000]],
      ['program.abi.logits.stride', [15]],
      ['program.abi.hidden.at', [65_536]],
      ['program.abi.probes', [{}, { at: 0, rows: 4, stride: 11 }]],
    ];
    for (const [path, values] of bad) for (const value of values) await refuses(path, value);
  });

  it('has no file but its own, each once', async () => {
    const hostile = [
      '../model.wasm',
      '/etc/passwd',
      'https://example.com/model.wasm',
      'C:\\model.wasm',
      '',
      'model.wasm\0',
      'manifest.json',
    ];
    for (const file of hostile) {
      await refuses('wasm.file', file);
      await refuses('weights.0.file', file);
      await refuses('loader.0.file', file);
      await refuses('tokenizer.0.file', file);
    }
    await refuses('weights.0.sha256', HASH.toUpperCase());
    await refuses('weights.0.file', chunkFile(1, HASH));
    await refuses('weights.0.bytes', CHUNK_BYTES + 1);
    await refuses('weights.0.bytes', VOCAB * 4 - 4);
    await refuses('weights', []);
    await refuses('loader.1.file', 'index.d.ts');
    const half = { bytes: VOCAB * 2, sha256: HASH };
    await refuses('weights', [
      { file: chunkFile(0, HASH), ...half },
      { file: chunkFile(1, HASH), ...half },
    ]);
    await refuses('wasm.bytes', 2 ** 40);
  });

  it('agrees with its task', async () => {
    await refuses('program.task', 'image-classification');
    await refuses('program.shapes.image', { channels: 1, height: 1, width: 1 });
    await refuses('program.tokens', { bos: null, addBos: true, eos: [] });
  });

  it('survives anything in any field', async () => {
    const paths = leaves(JSON.parse(JSON.stringify(valid())) as Json, '');
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...paths), fc.jsonValue(), async (path, value) => {
        try {
          await reading(signed(changed(path, value as Json)));
        } catch (error) {
          assert.ok(error instanceof Error && error.name === 'RadialError', String(error));
        }
      }),
      { numRuns: 500 },
    );
  });
});

function leaves(value: Json, path: string): readonly string[] {
  if (typeof value !== 'object' || value === null) return [path];
  const inner = Object.entries(value).flatMap(([key, item]) => leaves(item, path === '' ? key : `${path}.${key}`));
  return path === '' ? inner : [path, ...inner];
}
