/**
 * The token's keys are compared with the catalog even when a single member returns while its cluster stays connected.
 */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TokenReader } from '../token-reader.js';
import { ReplicatedServer, until } from './replicated-server.js';

const report = 'ALERT: the token holds keys that the catalog does not know; they were left alone';

let server: ReplicatedServer;

beforeAll(async () => {
  server = await ReplicatedServer.start({
    memberCount: 2,
    keyCount: 1,
    lanes: 1,
    operationTimeoutMs: 2_000,
    requestTimeoutMs: 10_000,
  });
});

afterAll(() => server.dispose());

test('a key that appeared on a member’s token while it was away is reported when it returns', async () => {
  const { tokenLabel, pin } = server.deployment.defaultCluster;
  const { hsm, fault } = server.member(1);
  const connects = server.events.of('key store connected');
  fault.remove('device-removed');
  await until('the member is out', async () => {
    await server.client().call('GenerateRandom', { number_of_bytes: 1 });
    return server.events.of('member suspended/b') > 0;
  });
  new TokenReader(hsm, tokenLabel, pin).generate(randomBytes(32).toString('hex'), 'a key of another application');
  expect(server.events.of(report)).toBe(0);
  await until('its sessions are gone', () => server.events.of('member did not reconnect/b') > 0);
  fault.restore();
  await until('the key is reported', () => server.events.of(`${report}/b`) > 0);
  expect(server.events.of('member reconnected/b')).toBe(1);
  expect(server.events.of(`${report}/a`)).toBe(0);
  expect(server.events.of('key store connected')).toBe(connects);
});
