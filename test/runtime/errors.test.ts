/** @file Errors as text: what is wrong, where, and always a line that helps. */
import assert from 'node:assert/strict';
import { formatDiagnostic } from '../../ir/diagnostics/diagnostic.ts';
import { RadialRuntimeError } from '../../runtime/artifact/index.ts';

describe('errors of the runtime', () => {
  it('name what is wrong, where, and what would help', () => {
    const place = { file: 'manifest.json', subject: 'field "wasm"' };
    const diagnostic = {
      code: 'RC0803',
      severity: 'error',
      message: 'the field is missing',
      place,
      help: 'x',
    } as const;
    const error = new RadialRuntimeError(diagnostic);
    assert.equal(error.message, 'error[RC0803]: the field is missing\n  --> manifest.json, field "wasm"\n  help: x');
    assert.equal(error.message, formatDiagnostic(diagnostic));
    assert.deepEqual([error.name, error.code], ['RadialError', 'RC0803']);
  });

  it('lead to the explanation where there is nothing better', () => {
    const { message } = new RadialRuntimeError({ code: 'RC0903', severity: 'error', message: 'the prompt is empty' });
    assert.equal(message, 'error[RC0903]: the prompt is empty\n  help: radialc explain RC0903 says more');
  });
});
