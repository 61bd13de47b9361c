import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import * as grpc from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  accessRows,
  type Answer,
  arnOf,
  buildWorld,
  keyArn,
  missingKeyId,
  type Row,
  userKeyRequests,
  type World,
} from './access-rows.js';
import { CallError, HoldfastClient, type Message, methods } from './client.js';
import { account, type Caller, Deployment, region, type RunningServer } from './deployment.js';
import { health, reflectedServices } from './standard-services.js';

/**
 * The permissions of callers: every method of the service descriptors × every kind of caller. The test
 * fails for a method without a row, and for a row without a method.
 */

/** Everything that a caller sees of a refusal, except the request's id. */
function answerOf({ status, message, reason, domain, fieldViolations, metadata }: CallError): string {
  const { 'x-request-id': _id, 'grpc-status-details-bin': _details, date: _date, ...rest } = metadata.getMap();
  return JSON.stringify({ status, message, reason, domain, fieldViolations, rest });
}

function appSocket(configuration: Message): string {
  return join(dirname((configuration['catalog'] as { path: string }).path), 'app.sock');
}

describe.each(['tls', 'unix'] as const)('access by %s', (door) => {
  const deployment = new Deployment({
    customClusters: ['custom', 'spare'],
    appKeys: ['alias/app', 'alias/mac'],
    configure: (configuration) => {
      const listeners = configuration['listeners'] as Message[];
      listeners.push({ kind: 'unix', path: appSocket(configuration), principal: 'app' });
    },
  });
  let server: RunningServer;
  let operator: HoldfastClient;
  let world: World;
  let rows: Record<string, Row>;
  const sourceAddress = door === 'tls' ? '127.0.0.1' : 'unix';

  const clientOf = (caller: Caller): HoldfastClient => {
    if (door === 'tls') return server.client(caller);
    if (caller === 'operator') return deployment.socketClient();
    const target = `unix:${join(deployment.folder, 'app.sock')}`;
    const client = new HoldfastClient({ target, credentials: grpc.credentials.createInsecure() });
    clients.push(client);
    return client;
  };
  const clients: HoldfastClient[] = [];

  /** Calls, and checks the one audit record that this makes. */
  /** Without the service's own acts: a backup goes on after its answer. */
  const requestRecords = () => deployment.auditRecords().filter(({ face }) => face === 'grpc');

  const callAudited = async (client: HoldfastClient, method: string, row: Row, expected: Message): Promise<Answer> => {
    const before = requestRecords().length;
    let answer: Answer = 'OK';
    let refusal: CallError | undefined;
    let made: string[] = [];
    try {
      const response = await client.call(method, row.request);
      keepSecrets(response);
      made = madeBy(method, response);
    } catch (error) {
      if (!(error instanceof CallError)) throw error;
      refusal = error;
      answer = error.reason as Answer;
    }
    const records = requestRecords();
    expect(records.length - before).toBe(1);
    expect(records.at(-1)).toEqual({
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as string,
      requestId: refusal?.metadata.get('x-request-id')[0] ?? (expect.any(String) as string),
      face: 'grpc',
      operation: method,
      sourceAddress,
      outcome: answer === 'OK' ? 'success' : 'denied',
      errorCode: answer === 'OK' ? null : answer,
      durationMs: expect.any(Number) as number,
      actions: row.actions,
      decidedBy: expect.any(Array) as string[],
      resources: [...row.resources, ...made],
      parameters: row.parameters,
      ...expected,
    });
    const decidedBy = records.at(-1)?.['decidedBy'] as string[];
    const role = expected['principal'] === arnOf('operator') ? 'role:administrator' : 'role:user';
    if (answer === 'OK') expect(decidedBy).toEqual(row.actions.map(() => role));
    else if (expected['principal'] !== null) expect(decidedBy.at(-1)).toBe('default');
    return answer;
  };

  const keepSecrets = (response: Message): void => {
    if (response['plaintext'] !== undefined) deployment.ledger.add('answer', response['plaintext'] as Buffer);
  };

  beforeAll(async () => {
    server = await deployment.start();
    operator = clientOf('operator');
    await server.defaultKeyStoreConnected(operator);
    world = await buildWorld(deployment, operator);
    rows = accessRows(world);
  });

  afterAll(async () => {
    for (const client of clients) client.close();
    await server.stop();
    expect(deployment.findSecrets()).toEqual([]);
    deployment.dispose();
  });

  it('has a row for every method, and a method for every row', () => {
    expect(Object.keys(rows).sort()).toEqual(methods.map(({ method }) => method).sort());
  });

  it.runIf(door === 'tls').each(['anonymous', 'foreign'] as const)('does not answer %s at all', async (caller) => {
    const client = server.client(caller);
    const before = deployment.auditRecords().length;
    for (const [method, { request }] of Object.entries(rows)) {
      const refusal = await client.refusal(method, request);
      expect([method, refusal.status, refusal.reason]).toEqual([method, grpc.status.UNAVAILABLE, undefined]);
    }
    expect(deployment.auditRecords().length).toBe(before);
    expect(readFileSync(deployment.logPath, 'utf8')).toContain('connection refused');
  });

  it.runIf(door === 'tls')('denies a caller that the configuration does not know', async () => {
    const client = server.client('stranger');
    for (const [method, row] of Object.entries(rows)) {
      const certificate = { subject: 'CN=stranger', subjectAlternativeNames: '', sha256: expect.any(String) as string };
      const unresolved = { principal: null, certificate, actions: [], resources: [] };
      expect([method, await callAudited(client, method, row, unresolved)]).toEqual([method, 'ACCESS_DENIED']);
    }
  });

  it('lets a user use its keys, and denies everything else', async () => {
    const client = clientOf('app');
    for (const [method, row] of Object.entries(rows)) {
      const answer = await callAudited(client, method, row, { principal: arnOf('app') });
      expect([method, answer]).toEqual([method, row.user]);
    }
  });

  it('lets a user use a key of its list by every name, and gives the same answer for all other keys', async () => {
    const client = clientOf('app');
    const names = (key: Message, alias: string) => [
      key['key_id'],
      key['arn'],
      alias,
      `arn:aws:kms:${region}:${account}:${alias}`,
    ];
    const foreign = [
      ...names(world.otherKey, 'alias/other'),
      ...names({ key_id: missingKeyId, arn: keyArn(missingKeyId) }, 'alias/missing'),
      'not-a-key-id',
      missingKeyId.toUpperCase(),
      `arn:aws:kms:us-east-1:${account}:key/${missingKeyId}`,
      `arn:aws:kms:${region}:999999999999:key/${missingKeyId}`,
      `arn:aws-cn:kms:${region}:${account}:key/${missingKeyId}`,
    ];
    for (const [method, field, request] of userKeyRequests(world)) {
      const isMac = method.endsWith('Mac');
      for (const name of isMac ? names(world.macKey, 'alias/mac') : names(world.appKey, 'alias/app')) {
        keepSecrets(await client.call(method, { ...request, [field]: name }));
      }
      const answers = new Map<string, unknown>();
      for (const name of foreign) {
        const refusal = await client.refusal(method, { ...request, [field]: name });
        answers.set(answerOf(refusal), name);
        expect([name, refusal.reason]).toEqual([name, 'ACCESS_DENIED']);
      }
      expect([...answers.keys()]).toHaveLength(1);
    }
  });

  it('gives the same answer for a ciphertext of a forbidden key, whatever key the request names', async () => {
    const client = clientOf('app');
    const request = { ciphertext_blob: world.otherCiphertext, encryption_context: { walk: 'yes' } };
    const answers = new Set<string>();
    for (const name of [undefined, 'alias/app', 'alias/other', missingKeyId]) {
      answers.add(answerOf(await client.refusal('Decrypt', { ...request, key_id: name })));
    }
    expect(answers.size).toBe(1);
    expect([...answers][0]).toContain('ACCESS_DENIED');
  });

  it('denies a user random bytes of a custom key store, whether the store exists or not', async () => {
    const client = clientOf('app');
    for (const storeId of [world.storeId, 'cks-00000000000000000']) {
      const refusal = await client.refusal('GenerateRandom', { number_of_bytes: 8, custom_key_store_id: storeId });
      expect(refusal.message).toBe(
        `User: ${arnOf('app')} is not authorized to perform: kms:GenerateRandom on resource: ${storeId}`,
      );
    }
  });

  it('denies a re-encryption from or to a key that the user may not use', async () => {
    const client = clientOf('app');
    const contexts = { source_encryption_context: { walk: 'yes' } };
    const requests = [
      [world.appCiphertext, 'alias/other', 'kms:ReEncryptTo'],
      [world.otherCiphertext, 'alias/app', 'kms:ReEncryptFrom'],
      [world.otherCiphertext, 'alias/other', 'kms:ReEncryptFrom'],
    ] as const;
    for (const [blob, destination, action] of requests) {
      const request = { ciphertext_blob: blob, destination_key_id: destination, ...contexts };
      const refusal = await client.refusal('ReEncrypt', request);
      expect(refusal).toMatchObject({ reason: 'ACCESS_DENIED', status: grpc.status.PERMISSION_DENIED });
      expect(refusal.message).toContain(action);
      expect(deployment.auditRecords().at(-1)).toMatchObject({
        outcome: 'denied',
        actions: ['kms:ReEncryptFrom', 'kms:ReEncryptTo'],
      });
    }
  });

  it('answers health and reflection to every admitted connection, and audits neither', async () => {
    const before = deployment.auditRecords().length;
    const doors: [string, grpc.ChannelCredentials][] =
      door === 'tls'
        ? (['operator', 'app', 'stranger'] as const).map((caller) => [
            `localhost:${server.port}`,
            deployment.credentials(caller),
          ])
        : [[`unix:${deployment.socketPath}`, grpc.credentials.createInsecure()]];
    for (const [target, credentials] of doors) {
      expect(await health(target, credentials)).toBe('SERVING');
      expect(await reflectedServices(target, credentials)).toEqual(
        expect.arrayContaining([...new Set(methods.map(({ service }) => service)), 'grpc.health.v1.Health']),
      );
    }
    if (door === 'tls') {
      for (const caller of ['anonymous', 'foreign'] as const) {
        const refusal = health(`localhost:${server.port}`, deployment.credentials(caller));
        await expect(refusal).rejects.toMatchObject({ code: grpc.status.UNAVAILABLE });
      }
    }
    expect(deployment.auditRecords().length).toBe(before);
  });

  // Last: it changes what the others read.
  it('lets an administrator do everything', async () => {
    for (const [method, row] of Object.entries(rows)) {
      const answer = await callAudited(operator, method, row, { principal: arnOf('operator') });
      expect([method, answer]).toEqual([method, row.administrator]);
      await row.settled?.(operator);
    }
  });
});

/** The resource in a create's answer: its audit record must name it. */
function madeBy(method: string, response: Message): string[] {
  if (method === 'CreateKey') return [(response['key_metadata'] as Message)['arn'] as string];
  if (method === 'CreateBackup') return [response['backup_id'] as string];
  return method === 'CreateCustomKeyStore' ? [response['custom_key_store_id'] as string] : [];
}
