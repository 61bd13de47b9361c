import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Clock } from '../../src/clock.js';
import { systemClock } from '../../src/clock-system.js';
import { holdfast } from '../cli/session.js';
import { TokenReader } from '../token-reader.js';
import type { Message } from './client.js';
import { Deployment, type RunningServer } from './deployment.js';

const dayMs = 24 * 3_600_000;

/** The machine's clocks, with a wall clock that lies. */
const clock: Clock & { liesByMs: number } = {
  ...systemClock,
  liesByMs: 0,
  now: () => new Date(systemClock.now().getTime() + clock.liesByMs),
};

const deployment = new Deployment({
  customClusters: [],
  configure: (configuration) => {
    configuration['telemetry'] = { logLevel: 'trace', metrics: { address: '127.0.0.1', port: 0 } };
  },
});
const token = new TokenReader(deployment.softHsm, 'default', deployment.defaultCluster.pin);
const labels = () => token.secretKeys().map(({ CKA_LABEL }) => CKA_LABEL);
const command = (...words: string[]) => holdfast(['deletion-hold', ...words, '--config', deployment.configurationPath]);
const records = (operation: string) => deployment.auditRecords().filter((record) => record['operation'] === operation);
const metrics = async () => (await fetch(`http://127.0.0.1:${server.server.metricsPort ?? 0}/metrics`)).text();

let server: RunningServer;
let arn: string;
let keyId: string;
beforeAll(async () => {
  server = await deployment.start({ clock });
  const client = server.client();
  await server.defaultKeyStoreConnected(client);
  ({ arn, key_id: keyId } = (await client.call('CreateKey', {}))['key_metadata'] as { arn: string; key_id: string });
  await client.call('ScheduleKeyDeletion', { key_id: keyId, pending_window_in_days: 7 });
  await server.server.keyDeletion.runNow();
});
afterAll(async () => {
  await server.stop();
  deployment.dispose();
});

function onDatabase<T>(work: (database: Database.Database) => T): T {
  const database = new Database(join(deployment.folder, 'catalog.sqlite'));
  try {
    return work(database);
  } finally {
    database.close();
  }
}

it('destroys nothing if the clock jumps beyond the date, reports it, and keeps the hold after a restart', async () => {
  expect(await command('describe')).toMatchObject({ exitCode: 0 });
  clock.liesByMs = 8 * dayMs;
  await server.server.keyDeletion.runNow();
  expect(labels()).toContain(arn);
  expect(await metrics()).toContain('holdfast_deletions_held 1');
  expect(readFileSync(deployment.logPath, 'utf8')).toMatch(
    /"level":"error".*ALERT: deletions are held until an operator/,
  );
  expect(records('HoldDeletions')).toMatchObject([{ face: 'service', parameters: { reason: 'clock-forward' } }]);

  clock.liesByMs = 0;
  await server.stop();
  server = await deployment.start({ clock });
  await server.defaultKeyStoreConnected();
  await server.server.keyDeletion.runNow();
  expect(await metrics()).toContain('holdfast_deletions_held 1');
  const { exitCode, stdout } = await command('describe', '--output', 'json');
  expect([exitCode, JSON.parse(stdout)]).toMatchObject([5, { held: true, reason: 'clock-forward', due_keys: [] }]);
  expect(records('HoldDeletions')).toHaveLength(1);
});

it('a hold is released by an operator, with a record, after the due keys were listed', async () => {
  onDatabase((database) => database.prepare('update keys set deletion_date = ?').run(Date.now() - 1_000));
  const refused = await command('release');
  expect(refused).toMatchObject({ exitCode: 5, stderr: expect.stringContaining(arn) as string });
  expect(records('ReleaseDeletions')).toEqual([]);
  await server.server.keyDeletion.runNow();
  expect(labels()).toContain(arn);

  expect(await command('release', '--destroy-due')).toMatchObject({ exitCode: 0 });
  const common = { face: 'command-line', principal: expect.stringMatching(/^local-user:/) as string, resources: [arn] };
  expect(records('ReleaseDeletions')).toMatchObject([
    { ...common, outcome: 'started' },
    { ...common, outcome: 'success' },
  ]);
  await server.server.keyDeletion.runNow();
  expect(labels()).not.toContain(arn);
  expect(await metrics()).toContain('holdfast_deletions_held 0');
  expect(await metrics()).toContain('holdfast_service_acts_total{operation="DeleteKey",outcome="success"} 1');
  const deleted = { face: 'service', principal: 'holdfast.internal', sourceAddress: 'internal', resources: [arn] };
  expect(records('DeleteKey')).toMatchObject([
    { ...deleted, outcome: 'started' },
    { ...deleted, outcome: 'success' },
  ] satisfies Message[]);
  expect(readFileSync(deployment.logPath, 'utf8')).toMatch(/"operation":"DeleteKey".*the service acted by itself/);
  expect(await command('release')).toMatchObject({ exitCode: 0, stdout: 'no deletion is held\n' });
});

it('a machine that was off for a month asks before it destroys keys', async () => {
  await server.stop();
  onDatabase((database) =>
    database
      .prepare("update time_record set reference_boot_id = 'another boot', last_seen_date = ?")
      .run(Date.now() - 30 * dayMs),
  );
  server = await deployment.start();
  await server.server.keyDeletion.runNow();
  expect(await metrics()).toContain('holdfast_deletions_held 1');
  expect(await command('release')).toMatchObject({ exitCode: 0 });
  await server.server.keyDeletion.runNow();
  expect(await metrics()).toContain('holdfast_deletions_held 0');
});

it('an operator’s release that cannot be recorded has no effect', async () => {
  const configuration = readFileSync(deployment.configurationPath, 'utf8');
  const unwritable = join(deployment.folder, 'unwritable.yaml');
  writeFileSync(unwritable, configuration.replace(deployment.auditPath, '/dev/full'));
  onDatabase((database) => database.exec("update time_record set hold_reason = 'restored', hold_since_date = 1"));
  const refused = await holdfast(['deletion-hold', 'release', '--config', unwritable]);
  expect(refused).toMatchObject({ exitCode: 4, stderr: expect.stringContaining('error: AUDIT') as string });
  expect(onDatabase((database) => database.prepare('select hold_reason from time_record').pluck().get())).toBe(
    'restored',
  );
});
