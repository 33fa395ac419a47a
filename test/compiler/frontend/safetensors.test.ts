/** @file Each rule of the safetensors format, on a file that breaks it. */
import assert from 'node:assert/strict';
import { closeSync, ftruncateSync, openSync, truncateSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { openSafetensors } from '../../../compiler/frontend/weights/safetensors.ts';
import type { Diagnostic } from '../../../ir/diagnostics/diagnostic.ts';
import { entry, failsWith, safetensors, withFolder } from './support.ts';

type Code = Parameters<typeof failsWith>[0];

function refuses(code: Code, bytes: Uint8Array, name = 'x.safetensors'): Diagnostic {
  return withFolder({ [name]: bytes }, (folder) => failsWith(code, () => openSafetensors(join(folder, name))));
}

function opens(bytes: Uint8Array): ReadonlyMap<string, unknown> {
  return withFolder({ 'x.safetensors': bytes }, (folder) => {
    const file = openSafetensors(join(folder, 'x.safetensors'));
    file.close();
    file.close();
    return file.tensors;
  });
}

/** A header of one tensor, in JSON text. */
const one = (fields: string): string => `{"a":{${fields}}}`;

describe('safetensors, the file', () => {
  it('opens files that keep the rules', () => {
    assert.equal(opens(safetensors({ header: '{}' })).size, 0);
    assert.equal(opens(safetensors({ header: '{} \n '.trimEnd() + '   ' })).size, 0);
    const { a, b } = { a: entry('F32', [], 0, 4), b: entry('F16', [3, 0], 4, 4) };
    assert.deepEqual([...opens(safetensors({ header: { b, a }, data: 4 })).keys()], ['a', 'b']);
    const tensors = opens(safetensors({ header: { m: entry('BOOL', [3], 0, 3), n: entry('F4', [2], 3, 4) }, data: 4 }));
    assert.deepEqual(tensors.get('n'), { dtype: 'F4', shape: [2], elements: 2, begin: 3, end: 4 });
  });

  it('RC0101: fewer than 8 bytes', () => {
    assert.match(refuses('RC0101', Buffer.alloc(0)).message, /0 bytes/);
    refuses('RC0101', Buffer.alloc(7));
  });

  it('RC0102: a header of more than 100,000,000 bytes, or of 2^64 - 1', () => {
    refuses('RC0102', safetensors({ header: '{}', length: 100_000_001n }));
    assert.match(refuses('RC0102', Buffer.alloc(8, 0xff)).message, /18446744073709551615/);
    refuses('RC0102', safetensors({ header: '{}', length: 1n << 53n }));
  });

  it('RC0103: a header longer than the file, before anything is allocated', () => {
    assert.match(
      refuses('RC0103', safetensors({ header: '{}', length: 100_000_000n })).message,
      /100000000 bytes.*has 2/,
    );
    refuses('RC0103', safetensors({ header: '{}', length: 3n }));
    refuses('RC0103', safetensors({ header: '', length: 1n }));
  });

  it('RC0104: bad UTF-8', () => {
    refuses('RC0104', safetensors({ header: Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x7b, 0x7d, 0x7d]) }));
  });

  it('RC0105: a header that does not start with "{"', () => {
    for (const header of ['', ' {}', '\ufeff{}', '[]', '"{}"']) refuses('RC0105', safetensors({ header }));
  });

  it('RC0106: anything but spaces behind the header', () => {
    for (const header of ['{}\n', '{}\0', '{', '{}\t']) refuses('RC0106', safetensors({ header }));
  });

  it('RC0150: JSON that is none', () => {
    for (const header of ['{"a"}', '{a:1}', '{}{}', '{"a":{"dtype":"F32",}}', '{,}', '{"\\u00zz":1}']) {
      assert.match(refuses('RC0150', safetensors({ header })).place?.subject ?? '', /character \d+ of the header/);
    }
    refuses('RC0150', safetensors({ header: '{"\\ud800":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}' }));
  });

  it('RC0107: duplicate names, fields and metadata', () => {
    const a = '"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}';
    assert.match(refuses('RC0107', safetensors({ header: `{${a},${a}}`, data: 1 })).message, /"a" is given twice/);
    refuses('RC0107', safetensors({ header: `{${a},${a.replace('"a"', '"\\u0061"')}}`, data: 1 }));
    refuses(
      'RC0107',
      safetensors({ header: one('"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]'), data: 1 }),
    );
    refuses('RC0107', safetensors({ header: '{"__metadata__":{"k":"1","k":"2"}}' }));
    refuses('RC0107', safetensors({ header: '{"__metadata__":{},"__metadata__":{}}' }));
  });

  it('RC0108: metadata that is not strings', () => {
    for (const value of ['1', 'null', '[]', '{"a":1}', '{"a":null}', '{"a":{"b":"c"}}']) {
      refuses('RC0108', safetensors({ header: `{"__metadata__":${value}}` }));
    }
  });

  it('takes __proto__, constructor and the like as names of tensors', () => {
    const names = ['__proto__', 'constructor', 'hasOwnProperty', '', '*/ alert(1) /*', 'a\nb'];
    const header = `{${names.map((name) => `${JSON.stringify(name)}:{"dtype":"U8","shape":[0],"data_offsets":[0,0]}`).join(',')}}`;
    assert.deepEqual([...opens(safetensors({ header })).keys()], names);
    assert.equal(Object.getPrototypeOf({}), Object.prototype);
  });
});

describe('safetensors, a tensor', () => {
  for (const [fields, found] of [
    ['"dtype":"F32","shape":[1]', 'has no data_offsets'],
    ['"dtype":"F32","data_offsets":[0,4]', 'has no shape'],
    ['"shape":[1],"data_offsets":[0,4]', 'has no dtype'],
    ['"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1', 'unknown field "x"'],
    ['"dtype":"F32","shape":[1],"data_offsets":[0,4],"__proto__":{}', 'unknown field "__proto__"'],
    ['"dtype":1,"shape":[1],"data_offsets":[0,4]', 'dtype that is not a string'],
    ['"dtype":"F32","shape":"[1]","data_offsets":[0,4]', 'shape that is not a list'],
    ['"dtype":"F32","shape":null,"data_offsets":[0,4]', 'shape that is not a list'],
    ['"dtype":"F32","shape":[-1],"data_offsets":[0,4]', 'not a non-negative integer'],
    ['"dtype":"F32","shape":[-0],"data_offsets":[0,4]', 'not a non-negative integer'],
    ['"dtype":"F32","shape":[1.5],"data_offsets":[0,4]', 'not a non-negative integer'],
    ['"dtype":"F32","shape":[1.0],"data_offsets":[0,4]', 'not a non-negative integer'],
    ['"dtype":"F32","shape":[1e0],"data_offsets":[0,4]', 'not a non-negative integer'],
    ['"dtype":"F32","shape":["1"],"data_offsets":[0,4]', 'not a number'],
    ['"dtype":"F32","shape":[null],"data_offsets":[0,4]', 'not a number'],
    ['"dtype":"F32","shape":[[1]],"data_offsets":[0,4]', 'not a number'],
    ['"dtype":"F32","shape":[NaN],"data_offsets":[0,4]', 'not a number'],
    ['"dtype":"F32","shape":[1],"data_offsets":[4]', '1 data_offsets'],
    ['"dtype":"F32","shape":[1],"data_offsets":[]', '0 data_offsets'],
    ['"dtype":"F32","shape":[1],"data_offsets":[0,4,8]', 'more than 2 numbers'],
    ['"dtype":"F32","shape":[1],"data_offsets":[0,null]', 'not a number'],
    ['"dtype":"F32","shape":[1],"data_offsets":[-4,0]', 'not a non-negative integer'],
    ['"dtype":"F32","shape":[1],"data_offsets":[0,4.5]', 'not a non-negative integer'],
    [`"dtype":"F32","shape":[${'1,'.repeat(64)}1],"data_offsets":[0,4]`, 'more than 64 numbers'],
  ] as const) {
    it(`RC0109: ${found}, in ${fields.slice(0, 60)}`, () => {
      const { message, help } = refuses('RC0109', safetensors({ header: one(fields), data: 4 }));
      assert.ok(message.includes(found), message);
      assert.ok(message.includes('tensor "a"') && help !== undefined);
    });
  }

  it('RC0109: a tensor that is no object', () => {
    for (const value of ['1', 'null', '[]', '"x"']) refuses('RC0109', safetensors({ header: `{"a":${value}}` }));
    refuses('RC0109', safetensors({ header: `{"a":${'['.repeat(1_000_000)}}` }));
  });

  it('RC0110: an unknown dtype', () => {
    assert.match(
      refuses('RC0110', safetensors({ header: { a: entry('FP32', [1], 0, 4) }, data: 4 })).help ?? '',
      /F32/,
    );
    for (const [dtype, meant] of [
      ['f16', 'F16'],
      ['bf16', 'BF16'],
      ['i64', 'I64'],
      ['fp16', 'F16'],
      ['Bool', 'BOOL'],
    ] as const) {
      const { help } = refuses('RC0110', safetensors({ header: { a: entry(dtype, [1], 0, 4) }, data: 4 }));
      assert.equal(help, `did you mean ${meant}?`);
    }
    refuses('RC0110', safetensors({ header: { a: entry('constructor', [1], 0, 4) }, data: 4 }));
  });

  it('RC0111: offsets that overlap, leave holes, start late or run backwards', () => {
    const bytes = (offsets: readonly (readonly [number, number])[], data: number) => {
      const entries = offsets.map(([begin, end], i) => [`t${i}`, entry('U8', [Math.abs(end - begin)], begin, end)]);
      return safetensors({ header: Object.fromEntries(entries), data });
    };
    assert.match(
      refuses(
        'RC0111',
        bytes(
          [
            [0, 4],
            [2, 6],
          ],
          6,
        ),
      ).message,
      /inside the tensor before/,
    );
    assert.match(
      refuses(
        'RC0111',
        bytes(
          [
            [0, 4],
            [5, 6],
          ],
          6,
        ),
      ).message,
      /behind a hole/,
    );
    refuses('RC0111', bytes([[1, 4]], 4));
    refuses('RC0111', bytes([[4, 0]], 4));
    // Many tensors on one range: a small file that unpacks into a huge one.
    refuses(
      'RC0111',
      bytes(
        Array.from({ length: 1000 }, () => [0, 1000]),
        1000,
      ),
    );
  });

  it('RC0112: a shape that does not fit its offsets', () => {
    assert.match(
      refuses('RC0112', safetensors({ header: { a: entry('F32', [2], 0, 4) }, data: 4 })).message,
      /span 4 .* needs 8/,
    );
    refuses('RC0112', safetensors({ header: { a: entry('F32', [2, 0], 0, 4) }, data: 4 }));
    refuses('RC0112', safetensors({ header: { a: entry('F32', [], 0, 8) }, data: 8 }));
  });

  it('RC0113: sizes that overflow', () => {
    refuses('RC0113', safetensors({ header: { a: entry('F32', [2 ** 30, 2 ** 30], 0, 4) }, data: 4 }));
    refuses('RC0113', safetensors({ header: { a: entry('F32', [2 ** 30, 2 ** 30, 0], 0, 0) } }));
    refuses('RC0113', safetensors({ header: { a: entry('F64', [2 ** 50], 0, 4) }, data: 4 }));
    for (const number of ['9007199254740993', '18446744073709551615', '18446744073709551616']) {
      refuses(
        'RC0113',
        safetensors({ header: one(`"dtype":"F32","shape":[${number}],"data_offsets":[0,4]`), data: 4 }),
      );
      refuses(
        'RC0113',
        safetensors({ header: one(`"dtype":"F32","shape":[1],"data_offsets":[0,${number}]`), data: 4 }),
      );
    }
    refuses('RC0153', safetensors({ header: one('"dtype":"F32","shape":[1e400],"data_offsets":[0,4]'), data: 4 }));
  });

  it('RC0114: a fraction of a byte', () => {
    refuses('RC0114', safetensors({ header: { a: entry('F4', [3], 0, 2) }, data: 2 }));
    refuses('RC0114', safetensors({ header: { a: entry('F6_E2M3', [3], 0, 3) }, data: 3 }));
  });

  it('RC0115: less data than the header describes', () => {
    const { message, help } = refuses('RC0115', safetensors({ header: { a: entry('F32', [2], 0, 8) }, data: 7 }));
    assert.match(message, /8 bytes of data, but the file has 7/);
    assert.match(help ?? '', /incomplete/);
  });

  it('RC0116: more data than the header describes', () => {
    refuses('RC0116', safetensors({ header: { a: entry('F32', [2], 0, 8) }, data: 9 }));
    refuses('RC0116', safetensors({ header: '{}', data: 1 }));
  });

  it('RC0139: a file that becomes shorter while it is open', () => {
    withFolder({ 'x.safetensors': safetensors({ header: { a: entry('F32', [2], 0, 8) }, data: 8 }) }, (folder) => {
      const path = join(folder, 'x.safetensors');
      const file = openSafetensors(path);
      try {
        truncateSync(path, 20);
        failsWith('RC0139', () => {
          file.readData(0, new Uint8Array(8));
        });
      } finally {
        file.close();
      }
    });
  });
});

describe('safetensors, other files', () => {
  it('RC0120: pickles, by name and by content', () => {
    const sound = safetensors({ header: '{}' });
    for (const name of ['a.bin', 'a.pt', 'a.PTH', 'a.ckpt', 'a.pkl']) refuses('RC0120', sound, name);
    for (const protocol of [2, 3, 4, 5]) {
      const { message, help } = refuses('RC0120', Buffer.from([0x80, protocol, 0x7d, 0x71, 0x00, 0x2e, 0, 0, 0, 0]));
      assert.match(message, /pickle/);
      assert.match(help ?? '', /safe_serialization/);
    }
    refuses('RC0120', Buffer.from([0x80, 4, 0x2e]));
    assert.match(refuses('RC0120', Buffer.from('PK\x03\x04\x00\x00\x08\x08\x00\x00archive/data.pkl')).message, /ZIP/);
  });

  for (const [what, bytes] of [
    ['GGUF', Buffer.from('GGUF\x03\0\0\0\x10\0\0\0')],
    ['HDF5', Buffer.from('\x89HDF\r\n\x1a\n\0\0', 'latin1')],
    ['NumPy', Buffer.from('\x93NUMPY\x01\0', 'latin1')],
    ['ONNX', Buffer.from('\x08\x07\x12\x07pytorch')],
    ['Git LFS', Buffer.from('version https://git-lfs.github.com/spec/v1\noid sha256:0\n')],
    ['web page', Buffer.from('<!DOCTYPE html><html></html>')],
  ] as const) {
    it(`RC0121: ${what}`, () => {
      const { message, help } = refuses('RC0121', bytes);
      assert.ok(message.includes(what) && help !== undefined);
    });
  }

  it('does not take a header length for the magic of a pickle', () => {
    const name = 'n'.repeat(0x280 - 2 - '"":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}'.length);
    const sound = safetensors({ header: { [name]: entry('U8', [0], 0, 0) } });
    assert.deepEqual([...sound.subarray(0, 2)], [0x80, 2]);
    assert.equal(opens(sound).size, 1);
    refuses('RC0103', sound.subarray(0, 100));
  });

  it('RC0122: more tensors than any model has', () => {
    const names = Array.from({ length: 250_001 }, (_, i) => `"${i}":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}`);
    refuses('RC0122', safetensors({ header: `{${names.join(',')}}` }));
  });

  it('shortens names and dtypes that are megabytes long', () => {
    const long = 'x'.repeat(5_000_000);
    const { message } = refuses('RC0110', safetensors({ header: { [long]: entry(long, [0], 0, 0) } }));
    assert.ok(message.length < 200);
    assert.ok(
      refuses('RC0112', safetensors({ header: { '\u009b31m': entry('U8', [1], 0, 0) } })).place?.subject?.includes(
        '\\u009b',
      ),
    );
  });

  it('refuses a header of 100 MB of hostile JSON within seconds', () => {
    withFolder({ 'x.safetensors': safetensors({ header: '', length: 100_000_000n }) }, (folder) => {
      const path = join(folder, 'x.safetensors');
      const fd = openSync(path, 'r+');
      ftruncateSync(fd, 100_000_008);
      const block = Buffer.from(`{"a":${'[['.repeat(1 << 19)}`);
      writeSync(fd, block, 0, block.length, 8);
      writeSync(fd, '}', 100_000_007);
      closeSync(fd);
      failsWith('RC0109', () => openSafetensors(path));
    });
  });
});
