/** For `npm run test:asan:faults`: the suites unchanged, with a leak check after each; everything takes longer. */
import { defineConfig, mergeConfig } from 'vitest/config';
import base from '../../vitest.config.js';

export default mergeConfig(
  base,
  defineConfig({
    test: {
      setupFiles: ['test/leak-check/setup.ts'],
      // AddressSanitizer keeps freed memory for a while: memory grows.
      exclude: ['test/faults/soak.test.ts'],
      testTimeout: 240_000,
      hookTimeout: 240_000,
    },
  }),
);
