import { mkdirSync, readFileSync, renameSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Deployment, type RunningServer } from './deployment.js';
import type { Message } from './client.js';

let deployment: Deployment;
let server: RunningServer;
let listPath: string;

beforeAll(async () => {
  deployment = new Deployment({
    configure(configuration) {
      const [tls] = configuration['listeners'] as Message[];
      if (tls !== undefined) tls['certificateRevocationList'] = 'crl.pem';
      Object.assign(configuration['telemetry'] as Message, { metrics: { port: 0 } });
    },
  });
  listPath = join(deployment.folder, 'crl.pem');
  writeFileSync(listPath, deployment.authority.revocationList());
  server = await deployment.start();
});

afterAll(async () => {
  await server.stop();
  deployment.dispose();
});

async function metric(series: string): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${server.server.metricsPort ?? 0}/metrics`);
  const line = (await response.text()).split('\n').find((candidate) => candidate.startsWith(`${series} `));
  return Number(line?.slice(series.length));
}

const lines = (message: string): Message[] =>
  readFileSync(deployment.logPath, 'utf8')
    .split('\n')
    .filter((line) => line.includes(`"msg":"${message}"`))
    .map((line) => JSON.parse(line) as Message);

test('an expired list is refused at reload, counted, and changes nothing for clients', async () => {
  const series = `holdfast_certificate_not_after_seconds{kind="revocation-list",file="${listPath}"}`;
  const endSeconds = await metric(series);
  expect(endSeconds * 1_000).toBeGreaterThan(Date.now());
  writeFileSync(listPath, deployment.authority.revocationList('past'));
  await expect(server.server.reload()).rejects.toThrow(/revocation list ended on 2020-01-02/);
  expect(await metric('holdfast_certificate_reloads_total{outcome="refused"}')).toBe(1);
  expect(await metric(series)).toBe(endSeconds);
  await deployment.client(server.port, 'operator').call('ListKeys', {});
});

test('a good list after an expired one is used, with subject and end in the log', async () => {
  deployment.authority.revoke(deployment.certificateOf('app'));
  writeFileSync(listPath, deployment.authority.revocationList());
  await server.server.reload();
  const certificates = lines('certificates loaded').at(-1)?.['certificates'] as Message[];
  expect(certificates.at(-1)).toEqual({
    kind: 'revocation-list',
    file: listPath,
    subject: 'CN=Holdfast test authority',
    notAfter: expect.stringMatching(/^\d{4}-\d\d-\d\dT/) as string,
  });
  await expect(deployment.client(server.port, 'app').call('ListKeys', {})).rejects.toThrow();
  await deployment.client(server.port, 'operator').call('ListKeys', {});
});

test('an audit log that cannot be reopened does not keep certificates from being read again', async () => {
  const loaded = () => metric('holdfast_certificate_reloads_total{outcome="loaded"}');
  const before = await loaded();
  const { auditPath } = deployment;
  renameSync(auditPath, `${auditPath}.1`);
  mkdirSync(auditPath);
  await expect(server.server.reload()).rejects.toThrow(/is neither a file nor/);
  rmdirSync(auditPath);
  renameSync(`${auditPath}.1`, auditPath);
  expect(await loaded()).toBe(before + 1);
});
