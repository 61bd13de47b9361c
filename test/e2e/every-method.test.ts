import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Message, methods } from './client.js';
import { keyStoreTests } from './every-method-key-stores.js';
import { keyTests } from './every-method-keys.js';
import { MethodBench } from './method-bench.js';

/** Complete answers of every method, as a client made by another tool-chain reads them. */
describe('every method', () => {
  const bench = new MethodBench();

  beforeAll(() => bench.start());

  afterAll(() => bench.stop());

  keyTests(bench);
  keyStoreTests(bench);

  it('GetStatus reports the default key store, which no other method does', async () => {
    const { key_stores: stores, process: process_ } = await bench.call('GetStatus');
    const connected = { cluster_name: 'default', connection_state: 'CONNECTION_STATE_CONNECTED', serving: true };
    expect((stores as Message[])[0]).toMatchObject(connected);
    expect(process_).toMatchObject({ node_version: process.version });
  });

  it('leaves no method of the descriptors out', () => {
    expect([...bench.succeeded].sort()).toEqual(methods.map(({ method }) => method).sort());
  });
});
