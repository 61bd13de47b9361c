import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createSoftHsm } from './softhsm.js';

test('makes tokens and removes them', () => {
  const hsm = createSoftHsm({ tokens: [{ label: 'one', userPin: '1234' }] });
  hsm.addToken({ label: 'two', userPin: '5678', soPin: '87654321' });
  expect(readdirSync(join(hsm.directory, 'tokens'))).toHaveLength(2);
  hsm.dispose();
  expect(() => readdirSync(hsm.directory)).toThrow();
});
