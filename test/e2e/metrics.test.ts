import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { HoldfastClient, Message } from './client.js';
import {
  connectedKeyStore,
  connectionState,
  Deployment,
  eventually,
  randomPin,
  type RunningServer,
} from './deployment.js';

/** Metrics of a whole server, as Prometheus reads them. */

let deployment: Deployment;
let server: RunningServer;
let client: HoldfastClient;
let keyId: string;

beforeAll(async () => {
  deployment = new Deployment({ customClusters: ['custom', 'spare'], faulty: ['custom'], configure });
  server = await deployment.start();
  client = server.client();
  await server.defaultKeyStoreConnected(client);
  const { key_metadata: metadata } = await client.call('CreateKey');
  keyId = (metadata as Message)['key_id'] as string;
}, 60_000);

afterAll(async () => {
  await server.stop();
  deployment.dispose();
});

function configure(configuration: Message): void {
  (configuration['telemetry'] as Message)['metrics'] = { port: 0 };
}

function url(path: string): string {
  return `http://127.0.0.1:${server.server.metricsPort}${path}`;
}

/** Every sample of a scrape, by name and labels as written there. */
async function scrape(): Promise<ReadonlyMap<string, number>> {
  const text = await (await fetch(url('/metrics'))).text();
  const samples = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    samples.map((line) => {
      const end = line.lastIndexOf(' ');
      return [line.slice(0, end), Number(line.slice(end + 1))];
    }),
  );
}

async function increase(series: string, work: () => Promise<unknown>): Promise<number> {
  const before = (await scrape()).get(series) ?? 0;
  await work();
  return ((await scrape()).get(series) ?? 0) - before;
}

describe('requests', () => {
  const requests = (method: string, code: string) =>
    `holdfast_rpc_requests_total{face="grpc",method="${method}",code="${code}"}`;

  test('are counted by method and code, with their duration', async () => {
    const encrypt = () => client.call('Encrypt', { key_id: keyId, plaintext: Buffer.from('counted') });
    expect(await increase(requests('Encrypt', 'OK'), encrypt)).toBe(1);
    expect(await increase('holdfast_rpc_duration_seconds_count{face="grpc",method="Encrypt"}', encrypt)).toBe(1);
    const bad = () => client.refusal('Decrypt', { ciphertext_blob: Buffer.alloc(80, 7) });
    expect(await increase(requests('Decrypt', 'INVALID_CIPHERTEXT'), bad)).toBe(1);
  });

  test('no text from a caller becomes a series', async () => {
    const secret = 'caller-supplied-a7f3';
    await client.refusal('DescribeKey', { key_id: secret });
    await client.refusal('Encrypt', { key_id: `alias/${secret}`, plaintext: Buffer.from(secret) });
    const { size } = await scrape();
    await client.refusal('DescribeKey', { key_id: `${secret}-2` });
    await client.refusal('Encrypt', { key_id: `alias/${secret}-2`, plaintext: Buffer.from(secret) });
    const text = await (await fetch(url('/metrics'))).text();
    expect(text).not.toContain(secret);
    expect((await scrape()).size).toBe(size);
  });
});

describe('HSMs', () => {
  test('an operation is counted at the member that did it', async () => {
    const series =
      'holdfast_hsm_operation_duration_seconds_count{cluster="default",member="a",operation="encrypt",outcome="ok"}';
    const encrypt = () => client.call('Encrypt', { key_id: keyId, plaintext: Buffer.from('counted') });
    expect(await increase(series, encrypt)).toBe(1);
  });

  test('the wait for a lane and the time on it are parts of the operation', async () => {
    const sumOf = async (metric: string, outcome = ''): Promise<number> =>
      (await scrape()).get(`${metric}_sum{cluster="default",member="a",operation="encrypt"${outcome}}`) ?? 0;
    const sums = () =>
      Promise.all([
        sumOf('holdfast_hsm_operation_duration_seconds', ',outcome="ok"'),
        sumOf('holdfast_hsm_queue_wait_seconds'),
        sumOf('holdfast_hsm_lane_duration_seconds'),
      ]);
    const before = await sums();
    await client.call('Encrypt', { key_id: keyId, plaintext: Buffer.from('timed') });
    const after = await sums();
    const [whole = 0, wait = 0, work = 0] = after.map((sum, index) => sum - (before[index] ?? 0));
    expect(wait).toBeGreaterThan(0);
    expect(work).toBeGreaterThan(0);
    // The rest of the time is the answer's way back. The tolerance: sums of floating-point numbers are not exact.
    expect(wait + work).toBeLessThanOrEqual(whole + 1e-9);
  });

  test('a member shows its lanes, its breaker and its login', async () => {
    const samples = await scrape();
    expect(samples.get('holdfast_hsm_member_admitted{cluster="default",member="a"}')).toBe(1);
    expect(samples.get('holdfast_hsm_member_breaker_state{cluster="default",member="a",state="closed"}')).toBe(1);
    expect(samples.get('holdfast_hsm_lanes{cluster="default",member="a",state="idle"}')).toBe(2);
    expect(samples.get('holdfast_hsm_session_epoch{cluster="default",member="a"}')).toBeGreaterThan(0);
    expect(samples.get('holdfast_hsm_member_admitted{cluster="custom",member="a"}')).toBe(0);
    expect(samples.get('holdfast_hsm_logins_total{outcome="succeeded"}')).toBe(1);
    expect(samples.get('holdfast_hsm_login_attempts_total')).toBe(1);
  });

  test('failures have the name of their return value, and a suspended member is visible', async () => {
    const id = await connectedKeyStore(client, deployment);
    const state = (name: string) =>
      `holdfast_key_store_connection_state{key_store="${id}",cluster="custom",state="${name}"}`;
    expect((await scrape()).get(state('CONNECTED'))).toBe(1);
    const fault = deployment.fault('custom');
    fault.obey('C_GenerateRandom rv 0x30', 'C_GetTokenInfo rv 0x30');
    const series =
      'holdfast_hsm_failures_total{cluster="custom",member="a",operation="random",kind="rv",return_value="CKR_DEVICE_ERROR"}';
    const draw = () => client.refusal('GenerateRandom', { number_of_bytes: 8, custom_key_store_id: id });
    expect(await increase(series, draw)).toBe(1);
    const samples = await scrape();
    expect(samples.get('holdfast_hsm_member_admitted{cluster="custom",member="a"}')).toBe(0);
    expect(samples.get('holdfast_hsm_member_suspensions_total{cluster="custom",member="a"}')).toBe(1);
    fault.heal();
    await eventually(() => client.call('GenerateRandom', { number_of_bytes: 8, custom_key_store_id: id }));
    await client.call('DisconnectCustomKeyStore', { custom_key_store_id: id });
    await eventually(async () => {
      if ((await scrape()).get(state('DISCONNECTED')) !== 1) throw new Error('It is not disconnected yet.');
    });
    expect((await scrape()).get(state('CONNECTED'))).toBe(0);
  });
});

test('a failed key store is DISCONNECTED once it is disconnected, and no longer alerts', async () => {
  const password = randomPin();
  deployment.ledger.add('wrong password', password);
  const { custom_key_store_id: id } = await client.call('CreateCustomKeyStore', {
    custom_key_store_name: 'spare',
    cloud_hsm_cluster_id: deployment.customClusters[1]?.clusterId,
    trust_anchor_certificate: deployment.trustAnchor,
    key_store_password: password,
  });
  const state = (name: string) =>
    `holdfast_key_store_connection_state{key_store="${id as string}",cluster="spare",state="${name}"}`;
  await client.call('ConnectCustomKeyStore', { custom_key_store_id: id });
  await connectionState(client, id as string, 'FAILED');
  expect((await scrape()).get(state('FAILED'))).toBe(1);
  expect((await scrape()).get('holdfast_hsm_logins_total{outcome="failed"}')).toBe(1);
  await client.call('DisconnectCustomKeyStore', { custom_key_store_id: id });
  await connectionState(client, id as string, 'DISCONNECTED');
  expect((await scrape()).get(state('FAILED'))).toBe(0);
  expect((await scrape()).get(state('DISCONNECTED'))).toBe(1);
});

test('the process, its event loop, the audit log and the budget are there', async () => {
  const samples = await scrape();
  for (const name of ['resident_memory_bytes', 'heap_used_bytes', 'open_fds', 'max_fds', 'start_time_seconds']) {
    expect(samples.get(`holdfast_process_${name}`), name).toBeGreaterThan(0);
  }
  expect(samples.get('holdfast_process_cpu_seconds_total{mode="user"}')).toBeGreaterThan(0);
  expect(samples.get('holdfast_event_loop_delay_seconds{statistic="maximum"}')).toBeGreaterThanOrEqual(0);
  expect(samples.get('holdfast_event_loop_utilization_ratio')).toBeLessThanOrEqual(1);
  expect(samples.get(`holdfast_build_info{version="0.1.0",node_version="${process.version}"}`)).toBe(1);
  expect(samples.get('holdfast_audit_healthy')).toBe(1);
  expect(samples.get('holdfast_grpc_connections')).toBe(1);
  const used = samples.get('holdfast_encryption_budget_used_ratio') ?? 0;
  expect(used).toBeGreaterThan(0);
  expect(used).toBeLessThan(0.001);
});

describe('the endpoint', () => {
  test('serves only /metrics, read-only', async () => {
    expect((await fetch(url('/'))).status).toBe(404);
    expect((await fetch(url('/metrics'), { method: 'POST' })).status).toBe(405);
    expect((await fetch(url('/metrics'))).headers.get('content-type')).toContain('version=0.0.4');
  });

  test('open connections do not keep the server from stopping', async () => {
    const socket = connect(server.server.metricsPort ?? 0, '127.0.0.1');
    await new Promise((resolve) => socket.once('connect', resolve));
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.on('error', () => undefined);
    await server.stop();
    await closed;
  });
});
