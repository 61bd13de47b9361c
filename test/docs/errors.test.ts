import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { errorsPage } from '../../scripts/errors-page.mjs';
import { errorGuide } from '../../src/error-guide.js';
import { type ErrorCode, errorCodes, retryability } from '../../src/errors.js';
import { statusOfCode } from '../../src/faces/grpc/errors.js';

describe('docs/errors.md', () => {
  it('agrees with the closed list: npm run generate:docs', () => {
    const page = readFileSync(join(import.meta.dirname, '../../docs/errors.md'), 'utf8');
    const statusName = (code: ErrorCode) => status[statusOfCode[code]];
    expect(page).toBe(errorsPage({ errorCodes, errorGuide, retryability, statusName }));
  });

  it('explains every code in sentences', () => {
    for (const code of errorCodes) {
      for (const text of [errorGuide[code].cause, errorGuide[code].remedy]) {
        expect(text, code).toMatch(/^[A-Z`].{15,}[.]$/s);
        expect(text, code).not.toContain('|');
      }
    }
  });

  it('calls a code retryable if its status makes clients try again', () => {
    const always = errorCodes.filter((code) => retryability[code] === 'always');
    expect(always).toEqual(['CANCELLED', 'DEPENDENCY_TIMEOUT', 'THROTTLING']);
  });
});
