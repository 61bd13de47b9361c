import { afterAll, beforeAll, expect, it } from 'vitest';
import { readPinAges } from '../../src/storage/recorded-pin-ages.js';
import { join } from 'node:path';
import { MovedClock } from './accounting.js';
import type { HoldfastClient, Message } from './client.js';
import { connectedKeyStore, Deployment, type RunningServer } from './deployment.js';

/** The service rotates the PIN of a custom key store when it is as old as the configuration says. */

const dayMs = 86_400_000;
const deployment = new Deployment({
  configure: (configuration) => {
    configuration['keyStorePins'] = { maximumAgeDays: 40, rotateAfterDays: 30 };
  },
});
const clock = new MovedClock();
let running: RunningServer;
let client: HoldfastClient;
let storeId: string;

beforeAll(async () => {
  running = await deployment.start({ clock });
  client = running.client();
  storeId = await connectedKeyStore(client, deployment);
});

afterAll(async () => {
  await running.stop();
  expect(deployment.findSecrets()).toEqual([]);
  deployment.dispose();
});

const ages = () => readPinAges(join(deployment.folder, 'catalog.sqlite'));
const rotations = () =>
  deployment.auditRecords().filter(({ operation, outcome }) => operation === 'RotatePin' && outcome !== 'started');

it('an old PIN is rotated on the token, once, as an act of the service; that of the default key store is reported', async () => {
  await running.server.pinSchedule.runNow();
  expect(ages().map(({ keyStore }) => keyStore)).toEqual([storeId, 'default'].sort());
  clock.offsetMs += 31 * dayMs;
  await running.server.pinSchedule.runNow();
  await running.server.pinSchedule.runNow();
  expect(rotations()).toMatchObject([{ outcome: 'success', principal: 'holdfast.internal' }]);
  const [since] = ages().filter(({ keyStore }) => keyStore === storeId);
  expect(since?.sinceDate.getTime()).toBeGreaterThan(Date.now() + 30 * dayMs);
  await client.call('CreateKey', { origin: 'ORIGIN_AWS_CLOUDHSM', custom_key_store_id: storeId });
  clock.offsetMs += 10 * dayMs;
  const status = await client.call('GetStatus');
  const concerns = (status['concerns'] as Message[]).filter(({ message }) => String(message).includes('Its PIN is'));
  expect(concerns).toMatchObject([
    { subject: 'key store default', message: 'Its PIN is 41 days old, and may be 40: rotate it.' },
  ]);
});
