import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { openTestCatalog } from '../../test/catalog-file.js';
import { systemClock } from '../clock-system.js';
import type { Configuration } from '../config/configuration.js';
import { exampleConfiguration } from '../config/example.js';
import { parseConfiguration } from '../config/load.js';
import { destroySecrets, readSecrets } from '../config/secrets.js';
import { defaultCredentialVersion } from '../keystores/connection-targets.js';
import { connectionStates } from '../keystores/connection-state.js';
import type { ConnectionErrorCode } from '../clusters/hsm-cluster.js';
import { createPasswordSealer } from '../storage/password-sealer.js';
import { checkKeyStores } from './key-stores.js';

/** The catalog's records × the reports of `doctor` and `serve`, without an HSM. */

const [clusterId, other, storeId] = ['cluster-abcdefghijk', 'cluster-zyxwvutsrqp', 'cks-1234567890abcdef0'];
const folder = mkdtempSync(join(tmpdir(), 'holdfast-stores-'));
const path = join(folder, 'catalog.sqlite');
let configuration: Configuration;

beforeAll(async () => {
  const tree = parse(exampleConfiguration(clusterId)) as { clusters: object[] };
  const second = {
    ...tree.clusters[0],
    id: other,
    name: 'second',
    members: [{ name: 'b', module: 'softhsm', tokenLabel: 'b' }],
  };
  const text = stringify({ ...tree, clusters: [...tree.clusters, second] }, { aliasDuplicateObjects: false });
  configuration = parseConfiguration(text, join(folder, 'holdfast.yaml'));
  writeFileSync(join(folder, 'pin'), '123456', { mode: 0o600 });
  writeFileSync(join(folder, 'sealing.key'), Buffer.alloc(32, 7).toString('hex'), { mode: 0o600 });
  await (await openTestCatalog({ path, clock: systemClock })).close();
});
afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(() => rawly((catalog) => catalog.exec('delete from custom_key_stores; delete from login_attempts')));

function rawly<T>(work: (catalog: Sqlite.Database) => T): T {
  const catalog = new Sqlite(path);
  try {
    return work(catalog);
  } finally {
    catalog.close();
  }
}

function addStore(state: string, errorCode: ConnectionErrorCode | null): void {
  rawly((catalog) =>
    catalog
      .prepare(
        `insert into custom_key_stores values (@storeId, '111122223333', 'eu-central-1', 'payments', @other, '', 'seal-1', x'00', x'00', 3, @state, @errorCode, 0)`,
      )
      .run({ storeId, other, state, errorCode }),
  );
}

function addAttempt(credentialVersion: string, state: string): void {
  rawly((catalog) =>
    catalog
      .prepare(
        `insert into login_attempts (token_serial_number, credential_version, state, claimed_date) values ('serial-1', ?, ?, 0)`,
      )
      .run(credentialVersion, state),
  );
}

async function found() {
  const secrets = await readSecrets(configuration, {});
  try {
    return await checkKeyStores({ configuration, secrets, now: systemClock.now(), asks: 'service' });
  } finally {
    destroySecrets(secrets.secrets);
  }
}

async function defaultVersion(): Promise<string> {
  const { secrets } = await readSecrets(configuration, {});
  const { defaultKeyStorePin: pin, sealingKeys } = secrets;
  if (pin === null) throw new Error('The configuration has a PIN.');
  return defaultCredentialVersion(createPasswordSealer(sealingKeys), { clusterId, pin });
}

const codes = ['INVALID_CREDENTIALS', 'USER_LOCKED_OUT', 'CLUSTER_NOT_FOUND', 'NETWORK_ERRORS', null] as const;

describe('a key store', () => {
  test.each(connectionStates.flatMap((state) => codes.map((code) => [state, code] as const)))(
    'that is %s (%s)',
    async (state, code) => {
      addStore(state, code);
      const findings = await found();
      if (state !== 'FAILED') {
        expect(findings).toMatchObject([{ status: 'ok' }]);
        return;
      }
      expect(findings).toMatchObject([{ status: 'fail', prevents: 'service', subject: 'key store payments' }]);
      expect(findings[0]?.message).toContain(`${storeId} is FAILED (${code ?? 'without a code'})`);
      expect(findings[0]?.remedy).toContain(`holdfast key-store disconnect ${storeId}`);
    },
  );
});

describe('a PIN', () => {
  const versions = {
    'of the default key store': defaultVersion,
    'of a key store': () => `${storeId}:3`,
    'that the key store had before': () => `${storeId}:2`,
    'that the default key store had before': () => 'default:before',
  };
  const inUse = ['of the default key store', 'of a key store'];

  test.each(
    Object.keys(versions).flatMap((whose) => ['failed', 'open', 'succeeded'].map((state) => [whose, state] as const)),
  )('%s, whose login %s', async (whose, state) => {
    addStore('DISCONNECTED', null);
    addAttempt(await versions[whose as keyof typeof versions](), state);
    const findings = await found();
    if (state !== 'failed' || !inUse.includes(whose)) {
      expect(findings).toMatchObject([{ status: 'ok' }]);
      return;
    }
    const subject = whose === inUse[0] ? 'PIN of the default key store' : 'PIN of key store payments';
    expect(findings).toMatchObject([{ status: 'fail', prevents: 'service', subject }]);
    expect(findings[0]?.remedy).toContain('holdfast login-attempts forget serial-1');
  });
});
