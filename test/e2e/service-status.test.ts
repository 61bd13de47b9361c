import { renameSync, rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { NamedFinding } from '../../src/preconditions/precondition.js';
import { holdfast, type Outcome } from '../cli/session.js';
import type { HoldfastClient, Message } from './client.js';
import {
  connectedKeyStore,
  connectionState,
  Deployment,
  eventually,
  randomPin,
  type RunningServer,
} from './deployment.js';
import { health, healthClient } from './standard-services.js';

/** An operator's view of a server: metrics, `holdfast status`, health, log. */

let deployment: Deployment;
let server: RunningServer;
let client: HoldfastClient;

async function start(): Promise<void> {
  server = await deployment.start();
  client = server.client();
}

beforeEach(async () => {
  const configure = (configuration: Message) => {
    (configuration['telemetry'] as Message)['metrics'] = { port: 0 };
  };
  deployment = new Deployment({ faulty: ['default'], configure });
  await start();
  await server.defaultKeyStoreConnected(client);
});

afterEach(async () => {
  await server.stop();
  expect(deployment.findSecrets()).toEqual([]);
  deployment.dispose();
});

async function scrape(): Promise<string[]> {
  const answer = await fetch(`http://127.0.0.1:${server.server.metricsPort}/metrics`);
  return (await answer.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

const value = async (series: string): Promise<number | undefined> => {
  const line = (await scrape()).find((candidate) => candidate.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
};

const status = (...more: string[]): Promise<Outcome> =>
  holdfast(['status', '--server', `unix:${deployment.socketPath}`, '--timeout', '20', ...more]);

async function concerns(): Promise<string[]> {
  const { stdout } = await status('--output', 'json');
  return (JSON.parse(stdout) as { concerns: { severity: string; subject: string }[] }).concerns.map(
    ({ severity, subject }) => `${severity} ${subject}`,
  );
}

async function healthOf(service: string): Promise<string | undefined> {
  const health = healthClient(`localhost:${server.port}`, deployment.credentials('app'));
  try {
    return await new Promise((resolve, reject) =>
      health.check({ service }, (error, answer) => (error === null ? resolve(answer?.status) : reject(error))),
    );
  } finally {
    health.close();
  }
}

const until = <T>(read: () => Promise<T> | T, expected: T): Promise<void> =>
  eventually(async () => expect(await read()).toEqual(expected));

test('a failed key store alerts after more than two reconciliations, and after a restart', async () => {
  const password = randomPin();
  deployment.ledger.add('wrong password', password);
  const created = await client.call('CreateCustomKeyStore', {
    custom_key_store_name: 'spare',
    cloud_hsm_cluster_id: deployment.customCluster.clusterId,
    trust_anchor_certificate: deployment.trustAnchor,
    key_store_password: password,
  });
  const id = created['custom_key_store_id'] as string;
  await client.call('ConnectCustomKeyStore', { custom_key_store_id: id });
  await connectionState(client, id, 'FAILED');
  const labels = `key_store="${id}",cluster="custom"`;
  const paging = async () => [
    await value(`holdfast_key_store_failed{${labels},error_code="INVALID_CREDENTIALS"}`),
    await value(`holdfast_key_store_connection_state{${labels},state="DISCONNECTED"}`),
    await value(`holdfast_hsm_refused_pins{${labels}}`),
  ];
  expect(await paging()).toEqual([1, 0, 1]);
  // The registry reconciles every five seconds.
  await new Promise((resolve) => setTimeout(resolve, 11_000));
  expect(await paging()).toEqual([1, 0, 1]);
  await server.stop();
  await start();
  expect(await paging()).toEqual([1, 0, 1]);
  const outcome = await status();
  expect(outcome).toMatchObject({ exitCode: 5, stderr: expect.stringContaining('error: FAILURE: ') as string });
  expect(outcome.stdout).toMatch(new RegExp(`^FAILURE  key store ${id}: FAILED \\(INVALID_CREDENTIALS\\)`, 'm'));
  // And doctor, without an HSM.
  const doctor = await holdfast(['doctor', '--config', deployment.configurationPath, '--output', 'json']);
  const { findings } = JSON.parse(doctor.stdout) as { findings: NamedFinding[] };
  const failed = findings.filter((finding) => finding.check === 'key-stores');
  expect([doctor.exitCode, failed.map(({ status: how, subject }) => `${how} ${subject}`)]).toEqual([
    5,
    ['fail key store spare', 'fail PIN of key store spare'],
  ]);
  await client.call('DisconnectCustomKeyStore', { custom_key_store_id: id });
  await connectionState(client, id, 'DISCONNECTED');
  expect(await value(`holdfast_key_store_failed{${labels},error_code="INVALID_CREDENTIALS"}`)).toBeUndefined();
}, 60_000);

test('a healthy server: exit code 0, with every part of the status', async () => {
  const id = await connectedKeyStore(client, deployment);
  const outcome = await status('--output', 'json');
  expect([outcome.exitCode, outcome.stderr]).toEqual([0, '']);
  const shown = JSON.parse(outcome.stdout) as Message;
  expect(shown).toMatchObject({
    severity: 'SEVERITY_OK',
    concerns: [],
    key_stores: [
      { cluster_name: 'default', connection_state: 'CONNECTION_STATE_CONNECTED', serving: true, refused_tokens: [] },
      {
        custom_key_store_id: id,
        name: 'custom',
        serving: true,
        members: [{ name: 'a', state: 'MEMBER_STATE_SERVING' }],
      },
    ],
    catalog: { readable: true },
    audit: { file: deployment.auditPath, writable: true, in_place: true, lost_records: '0' },
    disks: [{ holds: 'audit' }, { holds: 'catalog' }],
    process: { node_version: process.version, replacement: 'REPLACEMENT_STATE_NONE' },
  });
  expect((await status()).stdout).toMatch(/^all is well\n/);
  const names = ['', 'holdfast.key-store.default', `holdfast.key-store.${id}`, 'holdfast.live'];
  expect(await Promise.all(names.map(healthOf))).toEqual(names.map(() => 'SERVING'));
  const denied = await server.client('app').refusal('GetStatus', {});
  expect(denied.reason).toBe('ACCESS_DENIED');
});

test('while every HSM is away it answers at once; readiness says no, liveness yes, and both say yes when they return', async () => {
  const fault = deployment.fault('default');
  fault.obey('C_GenerateRandom rv 0x30', 'C_GetTokenInfo hang');
  await client.refusal('GenerateRandom', { number_of_bytes: 8 });
  await until(() => healthOf(''), 'NOT_SERVING');
  expect(await healthOf('holdfast.kms.v1.CryptographyService')).toBe('NOT_SERVING');
  expect(await healthOf('holdfast.key-store.default')).toBe('NOT_SERVING');
  expect(await healthOf('holdfast.kms.v1.KeyService')).toBe('SERVING');
  expect(await healthOf('holdfast.live')).toBe('SERVING');
  expect(await value('holdfast_ready')).toBe(0);
  expect(await value('holdfast_key_store_serving{key_store="default",cluster="default"}')).toBe(0);
  expect(await status()).toMatchObject({ exitCode: 5 });
  expect(await concerns()).toEqual([
    'SEVERITY_FAILURE key store default',
    'SEVERITY_WARNING key store default, member a',
  ]);
  fault.heal();
  await until(() => healthOf(''), 'SERVING');
  expect(await status()).toMatchObject({ exitCode: 0 });
}, 60_000);

describe('the audit log', () => {
  const logged = (message: string): boolean => deployment.logLines().some((line) => line['msg'] === message);

  test('a removed file is replaced by a new one, even without requests, and that is reported', async () => {
    rmSync(deployment.auditPath);
    await until(() => logged('the file of the audit log was removed while it was in use: a new one was begun'), true);
    expect(await value('holdfast_audit_files_removed_total')).toBe(1);
    await until(() => value('holdfast_audit_file_in_place'), 1);
    await client.call('ListKeys', {});
    expect(deployment.auditRecords().at(-1)).toMatchObject({ operation: 'ListKeys' });
  });

  test('a file that was moved away shows until SIGHUP', async () => {
    renameSync(deployment.auditPath, `${deployment.auditPath}.1`);
    await until(() => value('holdfast_audit_file_in_place'), 0);
    expect(await concerns()).toEqual(['SEVERITY_WARNING audit log']);
    expect(await status()).toMatchObject({ exitCode: 6 });
    await server.server.reload();
    await until(() => value('holdfast_audit_file_in_place'), 1);
    expect(await status()).toMatchObject({ exitCode: 0 });
  });

  test('losing and regaining it are one line each; health follows, and no record is counted twice', async () => {
    await server.stop();
    deployment.dispose();
    deployment = new Deployment({
      configure: (configuration) => {
        (configuration['telemetry'] as Message)['metrics'] = { port: 0 };
        configuration['audit'] = { file: '/dev/full' };
      },
    });
    await start();
    expect(logged('the audit log cannot be written: every request is refused until it can')).toBe(true);
    await client.refusal('ListKeys', {});
    await until(() => value('holdfast_audit_healthy'), 0);
    expect(await health(`localhost:${server.port}`, deployment.credentials('app'))).toBe('NOT_SERVING');
    const lost = await value('holdfast_audit_records_lost_total');
    expect(lost).toBeGreaterThan(0);
    // The log itself tries once a second: its attempts are not records.
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    expect(await value('holdfast_audit_records_lost_total')).toBe(lost);
    const told = deployment.logLines().filter((line) => (line['msg'] as string).startsWith('the audit log cannot'));
    expect(told).toHaveLength(1);
    expect(await status()).toMatchObject({ exitCode: 1 });
  }, 60_000);
});
