import { expect, test } from 'vitest';
import { firstReservedFileDescriptor, readFileDescriptorLimit, readFileDescriptors } from './file-descriptors.js';

test('reads the descriptors of the process, and leaves a reserve', async () => {
  const { open, maximum } = await readFileDescriptors();
  expect(open).toBeGreaterThan(2);
  expect(maximum).toBeGreaterThanOrEqual(open);
  expect(await readFileDescriptorLimit()).toBe(maximum);
  const first = await firstReservedFileDescriptor();
  expect(first).toBeLessThan(maximum);
  expect(first).toBeGreaterThanOrEqual(Math.floor(maximum / 2));
});
