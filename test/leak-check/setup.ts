/**
 * For `npm run test:asan:faults`: checks for leaks at the end of each test file, because vitest ends its workers by a
 * signal.
 */
import { createRequire } from 'node:module';
import { afterAll } from 'vitest';

const leakCheck = createRequire(import.meta.url)('../../native/build/Release/leak-check.node') as {
  lookForLeaks(): boolean;
};

// The hook that is registered first runs last: everything that the tests opened is closed by then.
afterAll(() => {
  leakCheck.lookForLeaks();
});
