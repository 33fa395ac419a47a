/**
 * @file Finds and opens the safetensors files of a checkpoint: `model.safetensors`, or the shards that
 * `model.safetensors.index.json` names.
 *
 * The index and the shards must agree exactly: a tensor is in one shard, that shard is the one that the index names, and
 * the index names every tensor.
 */
import { join } from 'node:path';
import { fail } from '../../../ir/diagnostics/diagnostic.ts';
import { isPlainName, isPresent, listFolder } from '../files.ts';
import { isJsonObject, readJsonFile } from '../json.ts';
import type { JsonDocument } from '../json.ts';
import { hasPickleName, refusePickle } from './formats.ts';
import { openSafetensorsInFolder } from './safetensors.ts';
import type { SafetensorsFile } from './safetensors.ts';
import { quote } from '../quote.ts';

const SINGLE_FILE = 'model.safetensors';
const INDEX_FILE = 'model.safetensors.index.json';
const MAX_SHARDS = 1000;

/** Opens all files of the checkpoint; as in transformers, the single file goes before an index. */
export function openShards(folder: string): readonly SafetensorsFile[] {
  if (isPresent(join(folder, SINGLE_FILE))) return [openSafetensorsInFolder(folder, SINGLE_FILE)];
  if (isPresent(join(folder, INDEX_FILE))) return openIndexed(folder, readJsonFile(folder, INDEX_FILE));
  return reportMissing(folder);
}

function openIndexed(folder: string, index: JsonDocument): readonly SafetensorsFile[] {
  const wanted = readWeightMap(index);
  const opened: SafetensorsFile[] = [];
  try {
    for (const name of wanted.keys()) opened.push(openSafetensorsInFolder(folder, name));
    compare(index, wanted, opened);
    return opened;
  } catch (error) {
    for (const file of opened) file.close();
    throw error;
  }
}

/** The tensors that the index names, by file. */
function readWeightMap(index: JsonDocument): ReadonlyMap<string, ReadonlySet<string>> {
  const map = isJsonObject(index.value) ? index.value['weight_map'] : undefined;
  if (!isJsonObject(map)) {
    fail('RC0130', 'the index has no object "weight_map"', {
      place: index.place(['weight_map']),
      help: 'get the index from its source again; "weight_map" gives the file of each tensor',
    });
  }
  const shards = new Map<string, Set<string>>();
  for (const [tensor, name] of Object.entries(map)) {
    const tensors = typeof name === 'string' ? shards.get(name) : undefined;
    if (tensors !== undefined) tensors.add(tensor);
    else shards.set(checkName(index, tensor, name, shards.size), new Set([tensor]));
  }
  if (shards.size === 0) {
    fail('RC0130', 'the "weight_map" of the index is empty', {
      place: index.place(['weight_map']),
      help: `get the index from its source again, or name the weights ${SINGLE_FILE} where they are one file`,
    });
  }
  return shards;
}

function checkName(index: JsonDocument, tensor: string, name: unknown, shards: number): string {
  const path = ['weight_map', tensor];
  if (typeof name !== 'string') {
    return fail('RC0130', 'the name of a shard must be a string', {
      place: index.place(path),
      help: 'write the name of the file beside the index that holds the tensor',
    });
  }
  if (!isPlainName(name)) {
    fail('RC0131', `the shard ${quote(name)} is not a plain file name`, {
      place: index.place(path),
      help: 'shards lie beside the index and are named without folders, for example model-00001-of-00002.safetensors',
    });
  }
  if (hasPickleName(name)) refusePickle(index.file, `the index names the pickled file ${quote(name)}`);
  if (shards === MAX_SHARDS) {
    fail('RC0138', `the index names more than ${MAX_SHARDS} files`, {
      place: index.place(path),
      help: 'save the checkpoint in fewer, larger shards',
    });
  }
  return name;
}

function compare(
  index: JsonDocument,
  wanted: ReadonlyMap<string, ReadonlySet<string>>,
  opened: readonly SafetensorsFile[],
): void {
  const owner = new Map<string, SafetensorsFile>();
  for (const file of opened) {
    for (const tensor of file.tensors.keys()) {
      const other = owner.get(tensor);
      if (other !== undefined) {
        fail('RC0137', `the tensor is in ${other.path} as well`, {
          place: { file: file.path, subject: subject(tensor) },
          help: 'remove it from one of the two files; a tensor is in one shard',
        });
      }
      owner.set(tensor, file);
    }
  }
  for (const [i, tensors] of [...wanted.values()].entries()) {
    const file = opened[i];
    if (file === undefined) throw new Error('internal: a shard that was not opened');
    for (const tensor of tensors) {
      if (owner.get(tensor) === file) continue;
      fail('RC0135', `${file.path} does not hold the tensor`, {
        place: index.place(['weight_map', tensor]),
        help: 'index and shards are of different checkpoints or versions; get them all from one source again',
      });
    }
    for (const tensor of file.tensors.keys()) {
      if (tensors.has(tensor)) continue;
      fail('RC0136', `${index.file} does not name the tensor`, {
        place: { file: file.path, subject: subject(tensor) },
        help: 'index and shards are of different checkpoints or versions; get them all from one source again',
      });
    }
  }
}

function subject(tensor: string): string {
  return `tensor ${quote(tensor)}`;
}

function reportMissing(folder: string): never {
  const names = listFolder(folder);
  const pickled = names.find(hasPickleName);
  if (pickled !== undefined) {
    refusePickle(join(folder, pickled), `the folder has no ${SINGLE_FILE}, only pickled weights`);
  }
  const others = names.filter((name) => /\.(safetensors|gguf|onnx|h5|msgpack)$/i.test(name));
  const found = others.length === 0 ? '' : `, but ${others.slice(0, 3).map(quote).join(', ')}`;
  return fail('RC0142', `the folder has neither ${SINGLE_FILE} nor ${INDEX_FILE}${found}`, {
    place: { file: folder },
    help: `a checkpoint holds its weights in ${SINGLE_FILE}; rename or convert the file`,
  });
}
