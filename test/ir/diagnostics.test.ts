/** @file How diagnostics look. */
import assert from 'node:assert/strict';
import { formatDiagnostic, RadialError } from '../../ir/diagnostics/diagnostic.ts';

const diagnostic = { code: 'RC0501', severity: 'error', message: 'context is 0' } as const;

describe('formatDiagnostic', () => {
  it('shows what is wrong, where, and what would fix it', () => {
    const place = { file: 'x.rir', line: 2, column: 3, subject: 'header' };
    assert.equal(
      formatDiagnostic({ ...diagnostic, place, help: 'write 1' }),
      'error[RC0501]: context is 0\n  --> x.rir:2:3, header\n  help: write 1',
    );
  });

  it('says where more is said when no help was given', () => {
    const text = 'error[RC0501]: context is 0\n  help: radialc explain RC0501 says more';
    assert.equal(formatDiagnostic(diagnostic), text);
    assert.equal(new RadialError([diagnostic, diagnostic]).message, `${text}\n${text}`);
  });
});
