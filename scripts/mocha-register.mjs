/**
 * @file Lets mocha load TypeScript: `import` through ts-blank-space's hooks, and `require` likewise.
 *
 * mocha requires each test file before it tries to import it, and `require` knows nothing of the hooks: a `.ts` that is
 * valid JavaScript with another meaning, as `new Set<string>(x)` is, would run as it stands.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import tsBlankSpace from 'ts-blank-space';
import 'ts-blank-space/register';

createRequire(import.meta.url).extensions['.ts'] = (module, filename) => {
  module._compile(tsBlankSpace(readFileSync(filename, 'utf8')), filename, 'module');
};
