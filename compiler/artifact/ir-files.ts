/**
 * @file The IR that an artifact carries: `network.rir`, the optimised network, and `kernels.rir`, what it became. They make
 * a compiled program inspectable, and let the interpreter run it without the checkpoint.
 *
 * The constants of the carried network are the weights of the artifact: `tensor {name: "@b0.qkv"}` is the weight of that
 * name in kernels.rir, wherever it came from.
 */
import { join } from 'node:path';
import { checkNetwork, fail, globalsOf, parseModule, printModule, regions } from '../../ir/index.ts';
import type { Const, KernelProgram, Network, WeightSource } from '../../ir/index.ts';
import type { Manifest } from '../../runtime/artifact/index.ts';
import { openImage, readListed } from './image-source.ts';
import type { ExtraFile } from './loader-files.ts';

const NETWORK_FILE = 'network.rir';
const KERNELS_FILE = 'kernels.rir';

/** The texts that go into the artifact. `network` is what `program` was lowered from. */
export function irFiles(network: Network | null, program: KernelProgram): readonly ExtraFile[] {
  const encode = (file: string, module: Network | KernelProgram): ExtraFile => ({
    file,
    bytes: new TextEncoder().encode(printModule(module)),
  });
  const files = [encode(KERNELS_FILE, program)];
  return network === null ? files : [...files, encode(NETWORK_FILE, withOwnWeights(network))];
}

/** Constants that regions read become tensors of their own name; the others go. */
function withOwnWeights(network: Network): Network {
  const used = new Set(regions(network).flatMap(globalsOf));
  const consts = network.consts
    .filter(({ name }) => used.has(name))
    .map(({ name, type }): Const => ({ name, kind: 'tensor', operands: [], attrs: { name }, type }));
  return { ...network, consts };
}

/** A compiled program as the interpreter and `inspect` read it. */
export interface ArtifactIr {
  readonly network: Network;
  readonly program: KernelProgram;
  /** Weights by the names of `network`'s constants; open until `close`. */
  readonly source: WeightSource;
  readonly close: () => void;
}

/**
 * Reads the IR of an artifact whose manifest has been read.
 * @throws RadialError RC0834 (it carries none), RC0835 (a file is not as it was written), RC04xx, RC05xx; the source's
 *   `read`: RC0835 for a damaged weight chunk
 */
export function readArtifactIr(dir: string, manifest: Manifest): ArtifactIr {
  const network = parseEntry(dir, manifest, NETWORK_FILE);
  const program = parseEntry(dir, manifest, KERNELS_FILE);
  if (network.stage !== 'network' || program.stage !== 'kernel') {
    return fail('RC0835', 'the IR files hold modules of another stage than their names say', {
      place: { file: dir },
      help: 'compile the program again',
    });
  }
  checkNetwork(network, join(dir, NETWORK_FILE));
  return { network, program, ...openImage(dir, manifest.weights, program.weights) };
}

function parseEntry(dir: string, { ir }: Manifest, name: string): Network | KernelProgram {
  const path = join(dir, name);
  const entry = ir.find(({ file }) => file === name);
  if (entry === undefined) {
    return fail('RC0834', `the program carries no ${name}`, {
      place: { file: dir },
      help: 'it was compiled from kernels; name the checkpoint instead',
    });
  }
  return parseModule(new TextDecoder().decode(readListed(dir, entry)), path);
}
