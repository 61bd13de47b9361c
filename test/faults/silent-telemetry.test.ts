/**
 * Telemetry only listens: a server whose log, metrics, traces and events report nothing handles faults like any other.
 * The short form of the matrix, and the service's own reactions to its HSMs.
 */
import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { TokenReader } from '../token-reader.js';
import { describeMatrix } from './matrix-suite.js';
import { ReplicatedServer, shortDelays, until } from './replicated-server.js';
import { serverRig } from './rigs.js';

const silently = vi.hoisted(() => async (importOriginal: () => Promise<object>) => {
  const { silenced } = await import('../silent-telemetry.js');
  return silenced(await importOriginal());
});
vi.mock('../../src/telemetry/events.js', silently);
vi.mock('../../src/telemetry/caller-events.js', silently);
vi.mock('../../src/telemetry/certificate-events.js', silently);
vi.mock('../../src/telemetry/configuration-events.js', silently);
vi.mock('../../src/telemetry/own-act-events.js', silently);

const silent = true;

test('every module of events is silenced here', () => {
  const folder = new URL('../../src/telemetry/', import.meta.url);
  const modules = readdirSync(folder).filter((name) => /(^|-)events\.ts$/.test(name));
  expect(modules.sort()).toEqual([
    'caller-events.ts',
    'certificate-events.ts',
    'configuration-events.ts',
    'events.ts',
    'own-act-events.ts',
  ]);
});

describeMatrix({
  name: 'a silent server with three members',
  open: () => serverRig(3, { silent }),
  full: false,
});

describe('without a request, a silent server', () => {
  const sizes = { keyCount: 1, lanes: 1, operationTimeoutMs: 500, requestTimeoutMs: 5_000, silent };
  let server: ReplicatedServer;

  afterEach(async () => {
    await server.dispose();
    expect(server.events.size).toBe(0);
  });

  test('compares a token’s keys with the catalog when its member returns', async () => {
    server = await ReplicatedServer.start({ ...sizes, memberCount: 2 });
    const { tokenLabel, pin } = server.deployment.defaultCluster;
    const { hsm, fault } = server.member(1);
    fault.remove('device-removed');
    await until('it is missed, and does not open', async () => {
      await server.client().call('GenerateRandom', { number_of_bytes: 1 });
      return (await server.memberStatus(1)).state === 'AWAY';
    });
    new TokenReader(hsm, tokenLabel, pin).generate(randomBytes(32).toString('hex'), 'a key of another application');
    fault.restore();
    await until('the key is counted', async () => (await server.memberStatus(1)).unaccountedMaterials === 1);
    expect((await server.memberStatus(0)).unaccountedMaterials).toBe(0);
  });

  test('asks to be replaced when its only member is stuck', async () => {
    server = await ReplicatedServer.start({
      ...sizes,
      memberCount: 1,
      recovery: { replaceAfterMs: 0, leastUptimeMs: 0 },
      cluster: {
        recovery: { ...shortDelays.recovery, openTimeoutMs: 1_000, reopenAfterProbes: 1, maxStuckOpenings: 0 },
      },
    });
    server.member(0).fault.obey('C_EncryptInit hang', 'C_DecryptInit hang', 'C_GetTokenInfo hang');
    await expect(
      server.client().call('Encrypt', { key_id: server.keyIds[0], plaintext: randomBytes(8) }),
    ).rejects.toThrow();
    await server.replacementAsked;
    expect((await server.memberStatus(0)).state).toBe('STUCK');
  });
});
