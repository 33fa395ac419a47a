/**
 * @file What lies in the KV pool: pages in use are proportional to visits, and nothing of one request reaches the next, not even
 * where all that it wrote has turned to NaN.
 */
import assert from 'node:assert/strict';
import { build } from '../../compiler/build.ts';
import type { BuildRequest } from '../../compiler/build.ts';
import type { KernelProgram, KvPolicy } from '../../ir/index.ts';
import type { Program } from '../../runtime/program.ts';
import type { Walk } from '../../runtime/index.ts';
import { start } from '../bench/decoding.ts';
import { checkpointFor, gates, hub, smallOpt, writeRouters } from '../support/routers.ts';

const config = { ...smallOpt, max_position_embeddings: 256 };
const TOKENS = 200;
/** Of a page of the pool. */
const SLOTS = 16;
const policies: readonly KvPolicy[] = ['absent', 'project', 'latest'];
const idAt = (position: number): number => (7 * position + 3) % config.vocab_size;

describe('the KV pool', () => {
  const dir = checkpointFor(config);

  /** A program, and its whole memory. */
  interface Opened {
    readonly program: Program;
    readonly memory: ArrayBufferLike;
    readonly code: KernelProgram;
  }
  const open = async (request: Omit<BuildRequest, 'input'>): Promise<Opened> => {
    const built = await build({ input: dir, ...request });
    try {
      const program = await start(built);
      return { program, memory: program.weights.buffer, code: built.program };
    } finally {
      built.close();
    }
  };
  const lengths = ({ memory, code }: Opened): readonly number[] =>
    Array.from(integers(memory, code, '$kv_length', code.kv?.lists ?? 0));
  const pagesInUse = ({ memory, code }: Opened): number => integers(memory, code, '$kv_used', 1)[0] ?? NaN;

  it('has entries, and pages, for visits only, under `absent`', async () => {
    const opened = await open({ route: 'external', kv: 'absent' });
    assert.equal(opened.code.kv?.slots, SLOTS);
    // Attention blocks 0, 2 and 4: for all, for every second, for every eighth token.
    const walkOf = (position: number): Walk => [0, 1, 2, 3, 4].filter((id) => id < 2 || position % 2 ** (id - 1) === 0);
    for (let position = 0; position < TOKENS; position++) {
      opened.program.decode(position, idAt(position), walkOf(position));
      const visits = [0, 2, 4].map((id) => 1 + Math.floor(position / (id === 0 ? 1 : 2 ** (id - 1))));
      assert.deepEqual(lengths(opened), visits);
      assert.equal(
        pagesInUse(opened),
        visits.reduce((sum, entries) => sum + Math.ceil(entries / SLOTS), 0),
      );
    }
    opened.program.reset();
    assert.deepEqual([...lengths(opened), pagesInUse(opened)], [0, 0, 0, 0]);
  });

  for (const kv of policies) {
    for (const [name, routers] of Object.entries({ gates, hub })) {
      it(`keeps nothing of a request for the next one: ${name} under ${kv}`, async () => {
        writeRouters(dir, { ...routers, kv }, smallOpt.hidden_size);
        const opened = await open({});
        const { program, memory, code } = opened;
        const request = (tokens: number, ask: (position: number) => number): readonly (readonly number[])[] => {
          program.reset();
          return Array.from({ length: tokens }, (_, position) => {
            program.decode(position, ask(position), undefined);
            return [...(program.logits(0, 1)[0] ?? []), ...program.walk(0)];
          });
        };
        const alone = request(40, idAt);
        request(TOKENS, (position) => (position * position) % config.vocab_size);
        const { kv: plan } = code;
        assert(plan !== null && plan.at !== null);
        new Float32Array(memory, plan.at, plan.pages * plan.slots * plan.width * 2).fill(NaN);
        assert.deepEqual(request(40, idAt), alone);
      });
    }
  }
});

function integers(memory: ArrayBufferLike, { buffers }: KernelProgram, name: string, count: number): Int32Array {
  const at = buffers.find((buffer) => buffer.name === name)?.at;
  assert(typeof at === 'number', `no buffer ${name}`);
  return new Int32Array(memory, at, count);
}
