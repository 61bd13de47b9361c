import { expect, test } from 'vitest';
import type { Configuration } from '../config/configuration.js';
import type { Surroundings } from './precondition.js';
import { checkTrust } from './trust.js';

test('a cluster that does not enforce trust is named at every start, and keeps nothing from starting', async () => {
  const clusters = [
    { name: 'main', trust: 'enforced' },
    { name: 'try-out', trust: 'unenforced' },
  ];
  const surroundings = { configuration: { clusters } as unknown as Configuration } as Surroundings;
  expect(await checkTrust(surroundings)).toMatchObject([{ status: 'warn', subject: 'trust of cluster try-out' }]);
});
