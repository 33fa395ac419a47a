/**
 * @file Writes the State of the Union addresses as files, as the bundled model was trained on them.
 *
 *     npm run example -- examples/sotu-radial/texts.ts DIR
 *
 * DIR/training has the addresses that models are trained on, DIR/held-out those of every tenth year, DIR/sample the beginnings
 * of these.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isHeldOut, readAddresses } from '../sotu-opt/corpus.ts';

const SAMPLE_CHARACTERS = 1500;

const [dir = '.cache/sotu'] = process.argv.slice(2);
for (const part of ['training', 'held-out', 'sample']) mkdirSync(join(dir, part), { recursive: true });
const addresses = readAddresses();
for (const address of addresses) {
  const { name, text } = address;
  writeFileSync(join(dir, isHeldOut(address) ? 'held-out' : 'training', `${name}.txt`), `${text}\n`);
  if (isHeldOut(address)) writeFileSync(join(dir, 'sample', `${name}.txt`), `${beginning(text)}\n`);
}
/** Whole words, up to some number of characters. */
function beginning(text: string): string {
  return text.slice(0, text.lastIndexOf(' ', SAMPLE_CHARACTERS));
}

process.stdout.write(`${addresses.length} addresses in ${dir}\n`);
