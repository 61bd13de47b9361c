import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { methods } from './client.js';
import { keyStoreTests } from './every-method-key-stores.js';
import { keyTests } from './every-method-keys.js';
import { MethodBench } from './method-bench.js';

/** Whole answers of every method, as a client made by another tool-chain reads them. */
describe('every method', () => {
  const bench = new MethodBench();

  beforeAll(() => bench.start());

  afterAll(() => bench.stop());

  keyTests(bench);
  keyStoreTests(bench);

  it('leaves no method of the descriptors out', () => {
    expect([...bench.succeeded].sort()).toEqual(methods.map(({ method }) => method).sort());
  });
});
