/** @file Broken and hostile safetensors files: `compile` refuses each, and leaves no output. */
import assert from 'node:assert/strict';
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkpoint, ok, optConfig, scratch } from '../compiler/cli/support.ts';
import { entry, safetensors } from '../compiler/frontend/support.ts';
import { copyOf, damaging, leavingNothing, parseSafetensors, prepare, refuses } from './support.ts';
import type { Damage, DamageCase, Header } from './support.ts';

const weightsFile = (dir: string): string => join(dir, 'model.safetensors');

describe('hostile checkpoints', () => {
  const at = scratch();
  before(() => prepare(at));
  const damaged = damaging(at);

  /** Each diagnostic has a place and help. */
  async function compileDamaged(code: string, damage: Damage): Promise<string> {
    const stderr = await damaged(code, damage);
    const count = (pattern: RegExp): number => stderr.match(pattern)?.length ?? 0;
    assert.equal(count(/^ {2}--> .*(model|safetensors)/gm), count(/^error\[/gm), stderr);
    assert.equal(count(/^ {2}help: ./gm), count(/^error\[/gm), stderr);
    return stderr;
  }

  it('are made of a checkpoint that is sound', async () => {
    await ok('compile', at('sound'), '-o', at('sound-out'));
  });

  describe('model.safetensors', () => {
    const rewrite = (change: (parsed: ReturnType<typeof parseSafetensors>) => Uint8Array) => (dir: string) => {
      writeFileSync(weightsFile(dir), change(parseSafetensors(weightsFile(dir))));
    };
    const withHeader = (change: (header: Header) => unknown) =>
      rewrite(({ header, data }) => safetensors({ header: change(header), data }));
    const withText = (change: (text: string) => string | Uint8Array) =>
      rewrite(({ header, data }) => safetensors({ header: change(JSON.stringify(header)), data }));
    const first = (header: Header): [string, Header[string]] => Object.entries(header)[0] as [string, Header[string]];
    const withFirst = (change: (tensor: Header[string]) => object) =>
      withHeader((header) => {
        const [name, tensor] = first(header);
        return { ...header, [name]: { ...tensor, ...change(tensor) } };
      });

    const cases: readonly DamageCase[] = [
      [
        'RC0101',
        'an empty file',
        (dir) => {
          writeFileSync(weightsFile(dir), '');
        },
      ],
      [
        'RC0101',
        'a file of 7 bytes',
        (dir) => {
          truncateSync(weightsFile(dir), 7);
        },
      ],
      [
        'RC0102',
        'a header of more than 100 MB',
        rewrite(({ data }) => safetensors({ header: '{}', data, length: 100_000_001n })),
      ],
      [
        'RC0102',
        'a header of 2^64 - 1 bytes',
        rewrite(({ data }) => safetensors({ header: '{}', data, length: 2n ** 64n - 1n })),
      ],
      ['RC0103', 'a header beyond the end of the file', rewrite(() => safetensors({ header: '{}', length: 500n }))],
      [
        'RC0104',
        'a header that is not UTF-8',
        withText((text) =>
          Buffer.concat([
            Buffer.from(`{"__metadata__":{"a":"`),
            Buffer.of(0xff, 0xfe),
            Buffer.from(`"},${text.slice(1)}`),
          ]),
        ),
      ],
      ['RC0105', 'a header with white space before it', withText((text) => ` ${text}`)],
      ['RC0105', 'a header with a byte order mark', withText((text) => `\ufeff${text}`)],
      ['RC0105', 'a header that is a list', withText(() => '[]')],
      ['RC0106', 'a header with something behind it', withText((text) => `${text}\n`)],
      ['RC0150', 'a header that is not JSON', withText((text) => text.replace(':', ';'))],
      [
        'RC0107',
        'a tensor that is described twice',
        withHeader((header) => {
          const [name, tensor] = first(header);
          return JSON.stringify(header).replace('{', `{${JSON.stringify(name)}:${JSON.stringify(tensor)},`);
        }),
      ],
      ['RC0108', 'metadata that is no text', withHeader((header) => ({ __metadata__: { format: 1 }, ...header }))],
      [
        'RC0108',
        'metadata with __proto__ as an object',
        withText((text) => `{"__metadata__":{"__proto__":{}},${text.slice(1)}`),
      ],
      ['RC0109', 'a negative size', withFirst(({ shape }) => ({ shape: shape.map((n) => -n) }))],
      ['RC0109', 'a fractional size', withFirst(() => ({ shape: [1.5] }))],
      ['RC0109', 'a size in quotes', withFirst(() => ({ shape: ['16'] }))],
      ['RC0109', 'no sizes', withFirst(() => ({ shape: null }))],
      ['RC0109', 'negative offsets', withFirst(() => ({ data_offsets: [-4, 0] }))],
      ['RC0109', 'fractional offsets', withFirst(({ data_offsets: [, end] }) => ({ data_offsets: [0.5, end] }))],
      ['RC0109', 'offsets in quotes', withFirst(({ data_offsets: [, end] }) => ({ data_offsets: ['0', end] }))],
      ['RC0109', 'one offset', withFirst(() => ({ data_offsets: [0] }))],
      ['RC0109', 'another field', withFirst(() => ({ codec: 'zip' }))],
      ['RC0110', 'an unknown dtype', withFirst(() => ({ dtype: 'F31' }))],
      ['RC0110', 'a dtype in small letters', withFirst(() => ({ dtype: 'f32' }))],
      ['RC01', 'an offset of 1e400', withText((text) => text.replace('"data_offsets":[0', '"data_offsets":[1e400'))],
      [
        'RC01',
        'offsets in the wrong order',
        withFirst(({ data_offsets: [begin, end] }) => ({ data_offsets: [end, begin] })),
      ],
      [
        'RC0111',
        'overlapping tensors',
        withHeader((header) => {
          const [, one] = first(header);
          return { ...header, copy: one };
        }),
      ],
      [
        'RC0111',
        'a hole before the first tensor',
        rewrite(({ header, data }) =>
          safetensors({
            header: Object.fromEntries(
              Object.entries(header).map(([name, tensor]) => [
                name,
                { ...tensor, data_offsets: tensor.data_offsets.map((n) => n + 4) },
              ]),
            ),
            data: Buffer.concat([Buffer.alloc(4), data]),
          }),
        ),
      ],
      ['RC0112', 'a shape that does not fit the offsets', withFirst(({ shape }) => ({ shape: [...shape, 2] }))],
      ['RC0113', 'a shape of more than 2^53', withFirst(() => ({ shape: [2 ** 31, 2 ** 31, 2 ** 31] }))],
      ['RC0114', 'a fraction of a byte', withHeader((header) => ({ ...header, odd: entry('F4', [3], 0, 1) }))],
      [
        'RC0115',
        'data that is cut off',
        (dir) => {
          const { length } = readFileSync(weightsFile(dir));
          truncateSync(weightsFile(dir), length - 1);
        },
      ],
      [
        'RC0116',
        'data that nobody owns',
        (dir) => {
          writeFileSync(weightsFile(dir), 'PK', { flag: 'a' });
        },
      ],
      [
        'RC0109',
        'deeply nested values',
        withText((text) => `{"x":{"shape":${'['.repeat(100_000)}${']'.repeat(100_000)}},${text.slice(1)}`),
      ],
      ['RC0109', 'a tensor called __proto__', withText((text) => `{"__proto__":{"polluted":true},${text.slice(1)}`)],
      ['RC0253', 'weights of integers', withFirst(() => ({ dtype: 'I32' }))],
    ];
    for (const [code, what, damage] of cases) it(`refuses ${what}`, () => compileDamaged(code, damage));

    it('pollutes no prototype', () => {
      assert.equal(({} as Readonly<Record<string, unknown>>)['polluted'], undefined);
    });

    const withValue = (value: number) =>
      rewrite(({ header, data }) => {
        data.writeFloatLE(value, data.length - 4);
        return safetensors({ header, data });
      });
    for (const value of [NaN, Infinity, -Infinity]) {
      it(`refuses weights of ${value}, and names the tensor`, async () => {
        const stderr = await compileDamaged('RC0119', withValue(value));
        assert.match(stderr, /model\.safetensors, tensor "model\.decoder\./);
      });
    }

    it('refuses weights of NaN in the interpreter, also of a block that no token executes', async () => {
      const dir = copyOf(at);
      rewrite(({ header, data }) => {
        data.writeFloatLE(NaN, header['model.decoder.layers.1.fc1.weight']?.data_offsets[0]);
        return safetensors({ header, data });
      })(dir);
      const forward = ['forward', dir, '--input', '-', '--backend=interpreter'];
      await leavingNothing(at('work'), async () => {
        for (const route of ['', ', "walk": [[], []]']) {
          const stderr = await refuses('RC0119', forward, `{"input_ids": [[1, 2]]${route}}`);
          assert.match(stderr, /model\.safetensors, tensor "model\.decoder\.layers\.1\.fc1\.weight"/);
        }
      });
    });

    it('refuses a head that is stored although it is tied, unless it is the embedding', async () => {
      const withHead = (change: (bytes: Buffer) => void) =>
        rewrite(({ header, data }) => {
          const { shape, data_offsets } = header['model.decoder.embed_tokens.weight'] ?? assert.fail();
          const head = Buffer.from(data.subarray(...data_offsets));
          change(head);
          const tensor = entry('F32', shape, data.length, data.length + head.length);
          return safetensors({ header: { ...header, 'lm_head.weight': tensor }, data: Buffer.concat([data, head]) });
        });
      const stderr = await compileDamaged(
        'RC0255',
        withHead((bytes) => bytes.writeFloatLE(7, 400)),
      );
      assert.match(stderr, /tensor "lm_head\.weight"/);
      assert.match(stderr, /from element 100 on/);
      assert.match(stderr, /help: set "tie_word_embeddings": false in config\.json .*, or remove "lm_head\.weight"/);
      const same = copyOf(at);
      withHead(() => undefined)(same);
      await ok('compile', same, '-o', at('same-head'));
      await checkpoint(at('untied'), { config: { ...optConfig, tie_word_embeddings: false } });
      await ok('compile', at('untied'), '-o', at('untied-out'));
    });

    it('refuses a missing tensor, and names it', async () => {
      const stderr = await compileDamaged(
        'RC02',
        rewrite(({ header, data }) => {
          const [name = ''] = Object.keys(header).slice(-1);
          const { [name]: last, ...rest } = header;
          return safetensors({ header: rest, data: data.subarray(0, last?.data_offsets[0]) });
        }),
      );
      assert.match(stderr, /model\.decoder\./);
    });

    it('refuses a tensor that the model does not know, and names it', async () => {
      const stderr = await compileDamaged(
        'RC02',
        rewrite(({ header, data }) => {
          const end = data.byteLength;
          return safetensors({
            header: { ...header, 'model.decoder.layers.0.adapter.weight': entry('F32', [1], end, end + 4) },
            data: Buffer.concat([data, Buffer.alloc(4)]),
          });
        }),
      );
      assert.match(stderr, /adapter/);
    });

    it('refuses a tensor of another shape, and names it', async () => {
      const stderr = await compileDamaged(
        'RC02',
        withFirst(({ shape }) => ({ shape: shape.length > 1 ? [...shape].reverse() : [1, ...shape] })),
      );
      assert.match(stderr, /\[.*\]/);
    });
  });
});
