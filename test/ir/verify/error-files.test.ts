/** @file Faulty texts end in the errors that are written beside their lines; each error has such a text. */
import assert from 'node:assert/strict';
import { textCodes, verifyCodes } from '../../../ir/codes.ts';
import { parseModule } from '../../../ir/text/parse.ts';
import { checkModule } from '../../../ir/verify/module.ts';
import { differences, diagnosticsOf, errorFiles, expectations } from '../../support/error-files.ts';

describe('errors of .rir texts', () => {
  for (const { name, text } of errorFiles()) {
    it(name, () => {
      const found = diagnosticsOf(() => {
        checkModule(parseModule(text, name), name);
      });
      assert.deepEqual(differences(text, found), []);
      for (const { place } of found) assert.equal(place?.file, name);
    });
  }

  it('cover every code', () => {
    const covered = new Set<string>(errorFiles().flatMap(({ text }) => expectations(text).map(({ code }) => code)));
    const codes = Object.keys({ ...textCodes, ...verifyCodes });
    assert.deepEqual(
      codes.filter((code) => !covered.has(code)),
      [],
    );
  });
});
