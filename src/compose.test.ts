import { connect } from 'node:net';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectedKeyStore, connectionState, Deployment } from '../test/e2e/deployment.js';
import type { CompositionOverrides } from './composition/foundation.js';
import { randomIdentifiers } from './ids.js';

describe('compose', () => {
  let deployment: Deployment;

  beforeAll(() => {
    deployment = new Deployment();
  });

  afterAll(() => {
    deployment.dispose();
  });

  it('leaves nothing behind when the start fails halfway: no listener, no connected HSM', async () => {
    const first = await deployment.start();
    await first.defaultKeyStoreConnected();
    const storeId = await connectedKeyStore(first.client(), deployment);
    await first.stop();

    const lock = new Lock(join(deployment.folder, 'catalog.sqlite'));
    await expect(deployment.start(lock.asOverrides())).rejects.toThrow('The catalog is busy.');
    lock.release();
    await expect(reach(deployment.socketPath)).rejects.toThrow(/ENOENT|ECONNREFUSED/);

    const again = await deployment.start();
    await again.defaultKeyStoreConnected();
    await connectionState(again.client(), storeId, 'CONNECTED');
    await again.stop();
  });
});

/** Another process that holds the catalog's write lock longer than any timeout. */
class Lock {
  readonly #path: string;
  #connection: Sqlite.Database | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** Takes the lock when identifiers are first asked for: the catalog is open then, and the server does not serve yet. */
  asOverrides(): CompositionOverrides {
    const take = (): void => {
      this.#connection = new Sqlite(this.#path);
      this.#connection.exec('begin immediate');
    };
    return {
      get identifiers() {
        take();
        return randomIdentifiers;
      },
    };
  }

  release(): void {
    this.#connection?.close();
  }
}

function reach(path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve();
    });
    socket.once('error', reject);
  });
}
