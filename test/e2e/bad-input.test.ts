import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import * as grpc from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CallError, type HoldfastClient, type Message, methods } from './client.js';
import { account, connectedKeyStore, Deployment, region, type RunningServer } from './deployment.js';
import { field, numberField, pair } from './wire.js';

/**
 * Requests that no sound client sends. They must affect neither an HSM's breaker, nor the log of errors, nor the next
 * caller.
 */

const otherAccount = '999988887777';
const keyArn = (keyId: string, owner = account) => `arn:aws:kms:${region}:${owner}:key/${keyId}`;

/** Every method that takes an empty request. */
const emptyRequestsAllowed = [
  'CreateKey',
  'DescribeClusters',
  'DescribeCustomKeyStores',
  'GetStatus',
  'ListAliases',
  'ListKeys',
  'RotateSealingKey',
  'CreateBackup',
  'DescribeBackups',
];

/** Every request whose first field is a string. */
const textFirst = methods
  .map(({ method }) => method)
  .filter(
    (method) => !/^(Decrypt|ReEncrypt|GenerateRandom|GetStatus|ListKeys|RotateSealingKey|CreateBackup)$/.test(method),
  );

describe('bad input', () => {
  const deployment = new Deployment({
    configure: (configuration) => {
      const { administrators } = configuration['principals'] as { administrators: Message[] };
      administrators.push({ name: 'neighbour', account: otherAccount, certificate: { commonName: 'stranger' } });
      (configuration['identity'] as { accounts: string[] }).accounts.push(otherAccount);
    },
  });
  let server: RunningServer;
  let logOffset = 0;
  let client: HoldfastClient;
  let keyId: string;
  let otherKeyId: string;
  let plaintext: Buffer;
  let ciphertext: Buffer;

  const encrypt = async (key: string, context: Message = {}, by = client): Promise<Buffer> => {
    const { ciphertext_blob: blob } = await by.call('Encrypt', { key_id: key, plaintext, encryption_context: context });
    return blob as Buffer;
  };

  const expectRefusal = (refusal: CallError, reason: string, status: grpc.status): void => {
    expect(refusal).toMatchObject({ reason, status, domain: 'holdfast.kms' });
    expect(refusal.message).not.toBe('');
    expect(refusal.metadata.get('x-request-id')).toHaveLength(1);
  };

  const expectValidation = (refusal: CallError, violated?: string): void => {
    expectRefusal(refusal, 'VALIDATION', grpc.status.INVALID_ARGUMENT);
    if (violated !== undefined) expect(refusal.fieldViolations.map((violation) => violation.field)).toEqual([violated]);
  };

  const expectInvalidCiphertext = async (blob: Uint8Array, more: Message = {}): Promise<void> => {
    const refusal = await client.refusal('Decrypt', { ciphertext_blob: blob, ...more });
    expectRefusal(refusal, 'INVALID_CIPHERTEXT', grpc.status.INVALID_ARGUMENT);
    expect(refusal.fieldViolations).toEqual([]);
  };

  beforeAll(async () => {
    server = await deployment.start();
    client = server.client();
    await server.defaultKeyStoreConnected(client);
    // Requests during the connect were answered KEY_UNAVAILABLE, which concerns an operator and is logged accordingly.
    logOffset = readFileSync(deployment.logPath).length;
    const createKey = async () => ((await client.call('CreateKey'))['key_metadata'] as Message)['key_id'] as string;
    keyId = await createKey();
    otherKeyId = await createKey();
    await client.call('CreateAlias', { alias_name: 'alias/app', target_key_id: keyId });
    plaintext = randomBytes(40);
    deployment.ledger.add('plaintext', plaintext);
    ciphertext = await encrypt(keyId);
  });

  afterAll(async () => {
    await server.stop();
    expect(deployment.findSecrets()).toEqual([]);
    deployment.dispose();
  });

  describe('bytes that are not a request', () => {
    const garbage: [string, Buffer][] = [
      ['a zero byte', Buffer.from([0])],
      ['a zero byte and more', Buffer.from([0, 0xff, 0x0a])],
      ['a field that never ends', Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x61])],
      ['a number that never ends', Buffer.alloc(20, 0xff)],
      ['a field number that is too large', Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0x00])],
      ['a wire type that does not exist', Buffer.from([0x0f, 0x00])],
      ['the end of a group that never began', Buffer.from([0x0c])],
      ['a group that never ends', Buffer.from([0xfb, 0x01])],
      ['groups in groups', Buffer.alloc(4_000, 0x0b)],
      ['a fixed number that is too short', Buffer.from([0x09, 1, 2, 3])],
      ['text', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    ];

    it.each(garbage)('%s is a VALIDATION error of every method', async (_what, bytes) => {
      for (const { method } of methods) {
        expectValidation(await client.rawRefusal(method, bytes));
        const record = deployment.auditRecords().at(-1);
        expect(record).toMatchObject({ operation: method, outcome: 'failed', errorCode: 'VALIDATION', parameters: {} });
      }
    });

    it('an empty request is a VALIDATION error if a field is required', async () => {
      for (const { method } of methods) {
        if (emptyRequestsAllowed.includes(method)) await client.callRaw(method, Buffer.alloc(0));
        else expectValidation(await client.rawRefusal(method, Buffer.alloc(0)));
      }
    });

    it('invalid UTF-8 in any string is a VALIDATION error', async () => {
      for (const bad of [Buffer.from([0xff]), Buffer.from([0xc0, 0x80]), Buffer.from([0xed, 0xa0, 0x80])]) {
        for (const method of textFirst) expectValidation(await client.rawRefusal(method, field(1, 'a', bad)));
        expectValidation(await client.rawRefusal('CreateCustomKeyStore', field(4, 'PIN-', bad)));
        const request = Buffer.concat([field(1, keyId), field(2, 'x')]);
        for (const entry of [pair(3, bad, 'value'), pair(3, 'name', bad)]) {
          expectValidation(await client.rawRefusal('Encrypt', Buffer.concat([request, entry])));
        }
      }
    });

    it('an unknown enum value is a VALIDATION error, whatever its size', async () => {
      for (const value of [99, 2 ** 31 - 1, -1, -(2 ** 31), 2n ** 63n - 1n]) {
        expectValidation(await client.rawRefusal('CreateKey', numberField(5, value)), 'key_spec');
        const request = Buffer.concat([field(1, keyId), field(2, 'x'), numberField(5, value)]);
        expectValidation(await client.rawRefusal('Encrypt', request), 'encryption_algorithm');
      }
    });
  });

  describe('messages that are too long', () => {
    it('are refused before they are read, and the connection stays open', async () => {
      const before = deployment.auditRecords().length;
      for (const length of [1_048_577, 5 * 1_048_576]) {
        const refusal = await client.rawRefusal('Encrypt', Buffer.alloc(length));
        expect(refusal.status).toBe(grpc.status.RESOURCE_EXHAUSTED);
        expect(refusal).toMatchObject({ reason: 'LIMIT_EXCEEDED', info: { retryable: 'false' } });
      }
      expect(deployment.auditRecords().length).toBe(before);
      await encrypt(keyId);
    });

    it('leave a short audit record, whoever the caller', async () => {
      const long = 'x'.repeat(500_000);
      const requests: [string, Message][] = [
        ['DescribeKey', { key_id: long }],
        ['Encrypt', { key_id: keyId, plaintext, encryption_context: { long } }],
      ];
      for (const [method, request] of requests) {
        expectValidation(await client.refusal(method, request));
        const record = deployment.auditRecords().at(-1);
        expect(record).toMatchObject({ operation: method, outcome: 'failed' });
        expect(JSON.stringify(record).length).toBeLessThan(10_000);
      }
    });

    it('are refused with a short answer, however many rules they break', async () => {
      const emptyTags = Buffer.concat(Array.from({ length: 200_000 }, () => field(9)));
      const refusal = await client.rawRefusal('CreateKey', emptyTags);
      expectValidation(refusal);
      expect(refusal.message.length).toBeLessThanOrEqual(512);
      expect(refusal.fieldViolations.length).toBeLessThanOrEqual(10);
    });

    it('are refused even if they are compressed', async () => {
      const bomb = Buffer.alloc(64 * 1_048_576);
      expect(gzipSync(bomb).length).toBeLessThan(200_000);
      const status = await callCompressed(server.port, deployment.credentials('operator'), bomb);
      expect(status).toBe(grpc.status.RESOURCE_EXHAUSTED);
      await encrypt(keyId);
    });
  });

  describe('encryption contexts', () => {
    const names = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', '', ' ', '\u0000', '\ufeff'];

    it.each(names)('may have the name %j, like any other', async (name) => {
      const request = Buffer.concat([field(1, keyId), field(2, plaintext), pair(3, name, 'polluted')]);
      const { ciphertext_blob: blob } = await client.callRaw('Encrypt', request);
      const record = deployment.auditRecords().at(-1)?.['parameters'] as Message;
      expect(Object.entries(record['encryption_context'] as Message)).toEqual([[name, 'polluted']]);
      const decrypt = (...context: Buffer[]) => Buffer.concat([field(1, blob as Buffer), ...context]);
      const decrypted = await client.callRaw('Decrypt', decrypt(pair(2, name, 'polluted')));
      expect(decrypted['plaintext']).toEqual(plaintext);
      for (const other of [decrypt(), decrypt(pair(2, name, '')), decrypt(pair(2, `${name}x`, 'polluted'))]) {
        expect((await client.rawRefusal('Decrypt', other)).reason).toBe('INVALID_CIPHERTEXT');
      }
      expect(({} as Message)['polluted']).toBeUndefined();
    });

    it('must not repeat a name', async () => {
      for (const values of [
        ['a', 'a'],
        ['a', 'b'],
      ]) {
        const twice = values.map((value) => pair(3, 'name', value));
        const request = Buffer.concat([field(1, keyId), field(2, plaintext), ...twice]);
        expectValidation(await client.rawRefusal('Encrypt', request), 'encryption_context');
      }
    });

    it('must be the same to the byte, in any order', async () => {
      const context = { Tenant: 'Café', step: '1' };
      const blob = await encrypt(keyId, context);
      const decrypt = { ciphertext_blob: blob };
      const reversed = { step: '1', Tenant: 'Café' };
      const decrypted = await client.call('Decrypt', { ...decrypt, encryption_context: reversed });
      expect(decrypted['plaintext']).toEqual(plaintext);
      const others: Message[] = [
        {},
        { Tenant: 'Café' },
        { tenant: 'Café', step: '1' },
        { Tenant: 'café', step: '1' },
        { Tenant: 'Cafe\u0301', step: '1' },
        { Tenant: 'Café ', step: '1' },
        { Tenant: 'Café', step: '2' },
        { Tenant: 'Café', step: '' },
        { Tenant: 'Café\u0000', step: '1' },
        { Tenant: 'Café', step: '1', more: '' },
        { Tenant: '1', step: 'Café' },
        { Café: 'Tenant', step: '1' },
      ];
      for (const other of others) await expectInvalidCiphertext(blob, { encryption_context: other });
    });

    it('may take 8,192 bytes in their canonical form, not one more', async () => {
      // Two bytes for the count, two for each length.
      const fitting = { n: 'v'.repeat(8192 - 7) };
      const blob = await encrypt(keyId, fitting);
      const decrypted = await client.call('Decrypt', { ciphertext_blob: blob, encryption_context: fitting });
      expect(decrypted['plaintext']).toEqual(plaintext);
      const long = { n: `${fitting.n}v` };
      const many = Object.fromEntries(Array.from({ length: 2_000 }, (_, index) => [String(index), '']));
      for (const context of [long, many]) {
        const uses: [string, string, Message][] = [
          ['Encrypt', 'encryption_context', { key_id: keyId, plaintext }],
          ['Decrypt', 'encryption_context', { ciphertext_blob: ciphertext }],
          ['GenerateDataKey', 'encryption_context', { key_id: keyId, number_of_bytes: 9 }],
          ['GenerateDataKeyWithoutPlaintext', 'encryption_context', { key_id: keyId, number_of_bytes: 9 }],
          ['ReEncrypt', 'source_encryption_context', { ciphertext_blob: ciphertext, destination_key_id: keyId }],
          ['ReEncrypt', 'destination_encryption_context', { ciphertext_blob: ciphertext, destination_key_id: keyId }],
        ];
        for (const [method, name, request] of uses) {
          expectValidation(await client.refusal(method, { ...request, [name]: context }), name);
        }
      }
    });
  });

  describe('ciphertexts', () => {
    it('are invalid with any byte changed', async () => {
      for (let offset = 0; offset < ciphertext.length; offset += 1) {
        const changed = Buffer.from(ciphertext);
        changed.writeUInt8(changed.readUInt8(offset) ^ (1 << (offset % 8)), offset);
        await expectInvalidCiphertext(changed);
      }
    });

    it('are invalid if they are cut, extended, or other bytes', async () => {
      for (let length = 1; length < ciphertext.length; length += 7) {
        await expectInvalidCiphertext(ciphertext.subarray(0, length));
        await expectInvalidCiphertext(ciphertext.subarray(length));
      }
      await expectInvalidCiphertext(Buffer.concat([ciphertext, Buffer.from([0])]));
      await expectInvalidCiphertext(Buffer.concat([Buffer.from([0]), ciphertext]));
      await expectInvalidCiphertext(Buffer.concat([ciphertext, ciphertext]));
      await expectInvalidCiphertext(Buffer.alloc(6144));
      await expectInvalidCiphertext(randomBytes(6144));
    });

    it('belong to one key', async () => {
      const other = await encrypt(otherKeyId);
      // Key id, material id and both, of the other key's ciphertext (header in the additional data).
      for (const [start, end] of [
        [4, 20],
        [20, 52],
        [4, 52],
      ] as const) {
        const mixed = Buffer.from(ciphertext);
        other.copy(mixed, start, start, end);
        await expectInvalidCiphertext(mixed);
      }
      const refusal = await client.refusal('Decrypt', { ciphertext_blob: ciphertext, key_id: otherKeyId });
      expectRefusal(refusal, 'INCORRECT_KEY', grpc.status.INVALID_ARGUMENT);
      const request = { ciphertext_blob: ciphertext, source_key_id: otherKeyId, destination_key_id: keyId };
      expect((await client.refusal('ReEncrypt', request)).reason).toBe('INCORRECT_KEY');
    });

    it('belong to one account', async () => {
      const neighbour = server.client('stranger');
      const foreign = ((await neighbour.call('CreateKey'))['key_metadata'] as Message)['key_id'] as string;
      await expectInvalidCiphertext(await encrypt(foreign, {}, neighbour));
      expect((await neighbour.refusal('Decrypt', { ciphertext_blob: ciphertext })).reason).toBe('INVALID_CIPHERTEXT');
      for (const name of [foreign, keyArn(foreign), keyArn(foreign, otherAccount)]) {
        expect((await client.refusal('DescribeKey', { key_id: name })).reason).toBe('NOT_FOUND');
      }
      for (const name of [keyId, keyArn(keyId), keyArn(keyId, otherAccount), 'alias/app']) {
        expect((await neighbour.refusal('DescribeKey', { key_id: name })).reason).toBe('NOT_FOUND');
      }
      expect(await neighbour.call('ListAliases')).toEqual({ truncated: false });
      expect((await neighbour.call('ListKeys'))['keys']).toEqual([
        { key_id: foreign, key_arn: keyArn(foreign, otherAccount) },
      ]);
    });
  });

  it('an alias in place of an id is refused with the accepted forms', async () => {
    const byId = [
      'EnableKey',
      'DisableKey',
      'ScheduleKeyDeletion',
      'CancelKeyDeletion',
      'ListAliases',
      'UpdateKeyDescription',
    ];
    const asTarget = ['CreateAlias', 'UpdateAlias'];
    for (const alias of ['alias/app', `arn:aws:kms:${region}:${account}:alias/app`]) {
      for (const method of [...byId, ...asTarget]) {
        const [field, more] = byId.includes(method)
          ? ['key_id', method === 'UpdateKeyDescription' ? { description: 'new' } : {}]
          : ['target_key_id', { alias_name: 'alias/new' }];
        const refusal = await client.refusal(method, { [field]: alias, ...more });
        expect(refusal, method).toMatchObject({ reason: 'NOT_FOUND', message: `Invalid keyId '${alias}'` });
        const [violation] = refusal.fieldViolations;
        expect(violation).toEqual({ field, description: expect.stringContaining('id or ARN') as string });
      }
    }
  });

  describe('key identifiers', () => {
    const [uuid, scope] = ['0a1b2c3d-1111-4222-8333-444444444444', `${region}:${account}`];
    const forms: [string, string, string][] = [
      [uuid, 'NOT_FOUND', `Key '${keyArn(uuid)}' does not exist`],
      [uuid.toUpperCase(), 'NOT_FOUND', `Invalid keyId '${uuid.toUpperCase()}'`],
      [`{${uuid}}`, 'NOT_FOUND', `Invalid keyId '{${uuid}}'`],
      [` ${uuid}`, 'NOT_FOUND', `Invalid keyId ' ${uuid}'`],
      [`${uuid}\n`, 'NOT_FOUND', `Invalid keyId '${uuid}\n'`],
      [`key/${uuid}`, 'NOT_FOUND', `Invalid keyId 'key/${uuid}'`],
      ['🔑', 'NOT_FOUND', "Invalid keyId '🔑'"],
      ["' OR 1=1 --", 'NOT_FOUND', "Invalid keyId '' OR 1=1 --'"],
      [keyArn(uuid), 'NOT_FOUND', `Key '${keyArn(uuid)}' does not exist`],
      [keyArn(uuid.toUpperCase()), 'NOT_FOUND', `Invalid keyId '${uuid.toUpperCase()}'`],
      [`arn:aws:kms:us-east-1:${account}:key/${uuid}`, 'NOT_FOUND', 'Invalid arn us-east-1'],
      [keyArn(uuid, '000000000000'), 'NOT_FOUND', `Key '${keyArn(uuid, '000000000000')}' does not exist`],
      [`arn:aws-cn:kms:${scope}:key/${uuid}`, 'NOT_FOUND', `Key 'arn:aws-cn:kms:${scope}:key/${uuid}' does not exist`],
      [`arn:aws:s3:${scope}:key/${uuid}`, 'INVALID_ARN', 'is not a valid ARN'],
      [`arn:aws:kms:${region}:12345:key/${uuid}`, 'INVALID_ARN', 'is not a valid ARN'],
      [`arn:aws:kms:${scope}:key/`, 'INVALID_ARN', 'is not a valid ARN'],
      [`arn:aws:kms:${scope}:grant/${uuid}`, 'INVALID_ARN', 'is not a valid ARN'],
      ['arn:', 'INVALID_ARN', 'is not a valid ARN'],
      [`arn:${':'.repeat(2000)}`, 'INVALID_ARN', "'arn:::::"],
      ['alias/missing', 'NOT_FOUND', `Alias arn:aws:kms:${scope}:alias/missing is not found.`],
      ['alias/', 'NOT_FOUND', `Alias arn:aws:kms:${scope}:alias/ is not found.`],
      [`arn:aws:kms:${scope}:alias/missing`, 'NOT_FOUND', `Alias arn:aws:kms:${scope}:alias/missing is not found.`],
    ];

    const titled = forms.map(([identifier, ...rest]) => [identifier.slice(0, 90), identifier, ...rest] as const);

    it.each(titled)('%j', async (_title, identifier, reason, message) => {
      for (const [method, request] of [
        ['DescribeKey', {}],
        ['Encrypt', { plaintext }],
        ['GenerateDataKey', { number_of_bytes: 8 }],
      ] as const) {
        const refusal = await client.refusal(method, { key_id: identifier, ...request });
        expect([method, refusal.reason]).toEqual([method, reason]);
        expect(refusal.message).toContain(message);
      }
    });
  });

  // This must stay the last test: it looks at the effects of all the others.
  it('leaves a working server, closed breakers, and no error in the log', async () => {
    const storeId = await connectedKeyStore(client, deployment);
    const created = await client.call('CreateKey', { origin: 'ORIGIN_AWS_CLOUDHSM', custom_key_store_id: storeId });
    const { key_id: customKeyId } = created['key_metadata'] as Message;
    for (const key of [keyId, otherKeyId, customKeyId as string]) {
      const decrypted = await client.call('Decrypt', { ciphertext_blob: await encrypt(key) });
      expect(decrypted['plaintext']).toEqual(plaintext);
    }
    const log = readFileSync(deployment.logPath).subarray(logOffset).toString();
    const lines = log.trimEnd().split('\n');
    const entries = lines.map((line) => JSON.parse(line) as { level: string; msg: string });
    expect(entries.map(({ level }) => level)).toContain('debug');
    expect(entries.filter(({ level }) => level === 'error' || level === 'fatal')).toEqual([]);
    expect(lines.filter((line) => /member suspended|lane quarantined|ALERT/.test(line))).toEqual([]);
  });
});

/** The status of the refusal of a gzip-compressed message of these bytes. */
function callCompressed(port: number, credentials: grpc.ChannelCredentials, message: Buffer): Promise<grpc.status> {
  const client = new grpc.Client(`localhost:${port}`, credentials, {
    'grpc.default_compression_algorithm': grpc.compressionAlgorithms.gzip,
    'grpc.max_send_message_length': -1,
  });
  const asIs = (bytes: Buffer) => bytes;
  const path = '/holdfast.kms.v1.CryptographyService/Encrypt';
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(path, asIs, asIs, message, (error) => {
      client.close();
      if (error === null) reject(new Error('The message was accepted.'));
      else resolve(error.code);
    });
  });
}
