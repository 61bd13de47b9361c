import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { clusterA, createKeyStoreFixture, defaultCluster, type KeyStoreFixture } from '../../test/keystores/fixture.js';
import type { ScriptedConnect } from '../../test/keystores/fake-hsm-clusters.js';
import { HoldfastError } from '../errors.js';
import { connectCustomKeyStore } from '../operations/key-stores/connect-custom-key-store.js';
import { disconnectCustomKeyStore } from '../operations/key-stores/disconnect-custom-key-store.js';
import type { KeyStoreRegistry } from './registry.js';
import { waitFor } from '../../test/wait-for.js';

/**
 * The errors of CreateKey and GenerateRandom for a store that cannot be used, for each state. They advise a retry if
 * the state may change without a request, and otherwise not.
 */

let fixture: KeyStoreFixture;
let started: KeyStoreRegistry[];
let id: string;
/** Holds back the work under way. */
let release: () => void;
let held: Promise<void>;

beforeEach(async () => {
  fixture = await createKeyStoreFixture();
  started = [];
  held = new Promise((resolve) => (release = resolve));
  id = await fixture.createStore();
});
afterEach(async () => {
  release();
  for (const registry of started) await registry.stop(0);
  await fixture.dispose();
});

const refused = { connected: false, errorCode: 'INVALID_CREDENTIALS', transient: false, cause: 'wrong' } as const;
const away = { connected: false, errorCode: 'NETWORK_ERRORS', transient: true, cause: 'unplugged' } as const;

async function start(clusterId: string, ...script: ScriptedConnect[]): Promise<KeyStoreRegistry> {
  fixture.clusters.script(clusterId, ...script);
  const registry = fixture.anotherRegistry();
  started.push(registry);
  await registry.start();
  return registry;
}

const request = () => ({ request: { customKeyStoreId: id } });
const event = (name: string) => waitFor(() => expect(fixture.events.join('\n')).toContain(name));
async function connect(registry: KeyStoreRegistry): Promise<void> {
  await connectCustomKeyStore({ ...fixture.core, connectionJobs: registry }, request(), fixture.context);
}
const inCatalog = (state: string) =>
  waitFor(async () =>
    expect((await fixture.catalog.findStore(fixture.context.principal, id))?.connectionState).toBe(state),
  );

/** Brings the store to a state, and names the expected message and whether the state is temporary. */
const states: Record<string, { bring: () => Promise<KeyStoreRegistry>; message: RegExp; retryable: boolean }> = {
  'DISCONNECTED, never connected': {
    bring: () => start(clusterA),
    message: /is DISCONNECTED; this operation needs it to be CONNECTED/,
    retryable: false,
  },
  CONNECTING: {
    async bring() {
      const registry = await start(clusterA, { until: held });
      await connect(registry);
      return registry;
    },
    message: /is CONNECTING/,
    retryable: true,
  },
  'FAILED for good: a refused password': {
    async bring() {
      const registry = await start(clusterA, { outcome: refused });
      await connect(registry);
      await inCatalog('FAILED');
      return registry;
    },
    message: /is FAILED/,
    retryable: false,
  },
  'FAILED at the first connect, which is not retried': {
    async bring() {
      const registry = await start(clusterA, { outcome: away });
      await connect(registry);
      await inCatalog('FAILED');
      return registry;
    },
    message: /is FAILED/,
    retryable: false,
  },
  DISCONNECTING: {
    async bring() {
      const registry = await start(clusterA);
      await connect(registry);
      await inCatalog('CONNECTED');
      vi.spyOn(fixture.clusters, 'disconnect').mockImplementation(() => held);
      await disconnectCustomKeyStore({ ...fixture.core, connectionJobs: registry }, request(), fixture.context);
      return registry;
    },
    message: /is DISCONNECTING/,
    retryable: false,
  },
  'CONNECTED by another process, and not yet by this one': {
    async bring() {
      const other = await start(clusterA);
      await connect(other);
      await inCatalog('CONNECTED');
      await other.stop(0);
      return start(clusterA, { until: held });
    },
    message: /is CONNECTING/,
    retryable: true,
  },
  'CONNECTED by another process, and never by this one': {
    async bring() {
      const other = await start(clusterA);
      await connect(other);
      await inCatalog('CONNECTED');
      await other.stop(0);
      const registry = await start(clusterA, { outcome: refused });
      await event(`failed ${clusterA} INVALID_CREDENTIALS for good`);
      await waitFor(async () => expect(await thrownBy(registry, id)).toMatchObject({ retryable: false }));
      return registry;
    },
    message: /is FAILED/,
    retryable: false,
  },
};

async function thrownBy(registry: KeyStoreRegistry, customKeyStoreId: string | undefined): Promise<HoldfastError> {
  const thrown = await registry
    .clusterForNewKey(fixture.context.principal, customKeyStoreId)
    .catch((error: unknown) => error);
  if (!(thrown instanceof HoldfastError)) throw new Error('It can be used.');
  return thrown;
}

describe('a custom key store that is', () => {
  test.each(Object.entries(states))('%s', async (_, { bring, message, retryable }) => {
    const registry = await bring();
    const error = await thrownBy(registry, id);
    expect(error.code).toBe('CUSTOM_KEY_STORE_INVALID_STATE');
    expect(error.message).toMatch(message);
    expect(error.retryable).toBe(retryable);
    if (!retryable) expect(error.message).not.toMatch(/try again/i);
    const random = registry.clusterForRandom(fixture.context.principal, id);
    await expect(random).rejects.toMatchObject({ code: error.code, message: error.message, retryable });
  });
});

describe('the default key store that is', () => {
  test.each([
    ['connecting', () => ({ until: held }), true],
    ['away, and retried', () => ({ outcome: away }), true],
    ['refused its PIN', () => ({ outcome: refused }), false],
  ] as const)('%s', async (_, step, retryable) => {
    const registry = await start(defaultCluster, step());
    if ('outcome' in step()) await event(`failed ${defaultCluster}`);
    await waitFor(async () => expect(await thrownBy(registry, undefined)).toMatchObject({ retryable }));
    const error = await thrownBy(registry, undefined);
    expect(error.code).toBe('KEY_UNAVAILABLE');
    expect(error.message).toMatch(retryable ? /Try again\.$/ : /operator/);
  });
});
