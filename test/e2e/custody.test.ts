import { createDecipheriv, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseCiphertextBlob } from '../../src/operations/cryptography/ciphertext-blob.js';
import { type TokenObject, TokenReader } from '../token-reader.js';
import type { HoldfastClient, Message } from './client.js';
import { connectedKeyStore, Deployment, type RunningServer } from './deployment.js';

/** CK_RV, PKCS#11 v2.40 §4.4 and §5.1.6. */
const actionProhibited = 0x1b;
const attributeSensitive = 0x11;

/** The required attributes of every key of ours on a token without replication. */
const custody = {
  CKA_KEY_TYPE: 31,
  CKA_VALUE_LEN: 32,
  CKA_VALUE: { rv: attributeSensitive },
  CKA_TOKEN: true,
  CKA_PRIVATE: true,
  CKA_MODIFIABLE: false,
  CKA_COPYABLE: false,
  CKA_SENSITIVE: true,
  CKA_ALWAYS_SENSITIVE: true,
  CKA_EXTRACTABLE: false,
  CKA_NEVER_EXTRACTABLE: true,
  CKA_LOCAL: true,
  CKA_ENCRYPT: true,
  CKA_DECRYPT: true,
  CKA_SIGN: false,
  CKA_VERIFY: false,
  CKA_WRAP: false,
  CKA_UNWRAP: false,
  CKA_DERIVE: false,
};

const deployment = new Deployment();
const { softHsm, defaultCluster, customCluster } = deployment;
const defaultToken = new TokenReader(softHsm, defaultCluster.tokenLabel, defaultCluster.pin);
const customToken = new TokenReader(softHsm, customCluster.tokenLabel, customCluster.pin);
let server: RunningServer;
let client: HoldfastClient;

async function restart(): Promise<void> {
  await server.stop();
  server = await deployment.start();
  client = server.client();
  await server.defaultKeyStoreConnected(client);
}

async function createKey(request: Message = {}): Promise<{ keyId: string; arn: string }> {
  const created = (await client.call('CreateKey', request))['key_metadata'] as Message;
  return { keyId: created['key_id'] as string, arn: created['arn'] as string };
}

function newPlaintext(): Buffer {
  const plaintext = randomBytes(32);
  deployment.ledger.add('plaintext', plaintext);
  return plaintext;
}

async function encrypt(keyId: string, plaintext: Buffer): Promise<Uint8Array> {
  return (await client.call('Encrypt', { key_id: keyId, plaintext }))['ciphertext_blob'] as Uint8Array;
}

async function decrypt(ciphertext: Uint8Array): Promise<Buffer> {
  return Buffer.from((await client.call('Decrypt', { ciphertext_blob: ciphertext }))['plaintext'] as Uint8Array);
}

/** The one object of a key on the token. */
function objectOf(token: TokenReader, arn: string): TokenObject {
  const [object, ...others] = token.secretKeys().filter(({ CKA_LABEL }) => CKA_LABEL === arn);
  if (object === undefined || others.length > 0) throw new Error(`${others.length} others of ${arn}`);
  return object;
}

/** A key with its object on the default token, and a ciphertext under it. */
async function keyWithCiphertext() {
  const { keyId, arn } = await createKey();
  const plaintext = newPlaintext();
  const ciphertext = await encrypt(keyId, plaintext);
  return { keyId, arn, plaintext, ciphertext, materialId: objectOf(defaultToken, arn).CKA_ID };
}

/** Every operation that would use the key's material is refused with a reason. */
async function expectUnusable(keyId: string, ciphertext: Uint8Array, message: string): Promise<void> {
  const refused = { reason: 'KMS_INVALID_STATE', message };
  const plaintext = newPlaintext();
  expect(await client.refusal('Encrypt', { key_id: keyId, plaintext })).toMatchObject(refused);
  expect(await client.refusal('Decrypt', { ciphertext_blob: ciphertext })).toMatchObject(refused);
  const dataKey = { key_id: keyId, key_spec: 'DATA_KEY_SPEC_AES_256' };
  expect(await client.refusal('GenerateDataKey', dataKey)).toMatchObject(refused);
  expect(await client.refusal('GenerateDataKeyWithoutPlaintext', dataKey)).toMatchObject(refused);
}

function alerts(materialId: string): string[] {
  return readFileSync(deployment.logPath, 'utf8')
    .split('\n')
    .filter((line) => line.includes('ALERT') && line.includes(materialId))
    .map((line) => (JSON.parse(line) as { alert: string }).alert);
}

beforeAll(async () => {
  server = await deployment.start();
  client = server.client();
  await server.defaultKeyStoreConnected(client);
});

afterAll(async () => {
  await server.stop();
  expect(deployment.findSecrets()).toEqual([]);
  deployment.dispose();
});

describe('the token, read in another session', () => {
  it('contains only keys that cannot be read, changed or copied', async () => {
    const storeId = await connectedKeyStore(client, deployment);
    const inStore = { origin: 'ORIGIN_AWS_CLOUDHSM', custom_key_store_id: storeId };
    const places = [
      { token: defaultToken, request: {} },
      { token: customToken, request: inStore },
    ];
    for (const { token, request } of places) {
      const created = [await createKey(request), await createKey(request), await createKey(request)];
      for (const { keyId } of created) await decrypt(await encrypt(keyId, newPlaintext()));
      const objects = token.list();
      expect(objects.map(({ CKA_LABEL }) => CKA_LABEL).sort()).toEqual(created.map(({ arn }) => arn).sort());
      for (const object of objects) {
        expect(object).toMatchObject({ CKA_CLASS: 4, ...custody });
        expect(object.CKA_ID).toMatch(/^[0-9a-f]{64}$/);
      }
      expect(new Set(objects.map(({ CKA_ID }) => CKA_ID)).size).toBe(created.length);
    }
  });

  it('has the material ids of the ciphertext and DescribeKey', async () => {
    const { keyId, materialId, ciphertext } = await keyWithCiphertext();
    const described = (await client.call('DescribeKey', { key_id: keyId }))['key_metadata'] as Message;
    expect(described['current_key_material_id']).toBe(materialId);
    expect(parseCiphertextBlob(ciphertext)).toMatchObject({ keyId, materialId });
  });

  it('refuses every change to a key, even to the holder of the PIN', async () => {
    const { materialId } = await keyWithCiphertext();
    const before = defaultToken.withId(materialId);
    const changes: [string, boolean][] = [
      ['CKA_EXTRACTABLE', true],
      ['CKA_SENSITIVE', false],
      ['CKA_WRAP', true],
      ['CKA_UNWRAP', true],
      ['CKA_SIGN', true],
      ['CKA_DERIVE', true],
      ['CKA_DECRYPT', false],
      ['CKA_MODIFIABLE', true],
    ];
    for (const [attribute, value] of changes) {
      expect(defaultToken.tryChange(materialId, attribute, value), attribute).toBe(actionProhibited);
      expect(defaultToken.tryCopy(materialId, attribute, value), attribute).toBe(actionProhibited);
    }
    expect(defaultToken.withId(materialId)).toEqual(before);
  });
});

describe('a second object with the CKA_ID of a key', () => {
  it('planted before the first use of an epoch: neither is used', async () => {
    const { keyId, arn, ciphertext, materialId } = await keyWithCiphertext();
    defaultToken.plant(materialId, arn, randomBytes(32));
    await restart();
    await expectUnusable(keyId, ciphertext, 'The HSM has more than one object for this key material.');
    expect(alerts(materialId)).toContain('material-ambiguous');
  });

  it('under another label: neither is used', async () => {
    const { keyId, ciphertext, materialId } = await keyWithCiphertext();
    defaultToken.plant(materialId, 'another label', randomBytes(32));
    await restart();
    await expectUnusable(keyId, ciphertext, 'The HSM has more than one object for this key material.');
  });

  it('does not affect other keys', async () => {
    const bystander = await keyWithCiphertext();
    const { keyId, arn, ciphertext, materialId } = await keyWithCiphertext();
    defaultToken.plant(materialId, arn, randomBytes(32));
    await restart();
    await expectUnusable(keyId, ciphertext, 'The HSM has more than one object for this key material.');
    expect((await decrypt(bystander.ciphertext)).equals(bystander.plaintext)).toBe(true);
    await encrypt(bystander.keyId, newPlaintext());
  });

  it('planted after the proof: the proven key stays in use until the next epoch finds it', async () => {
    const { keyId, arn, ciphertext, plaintext, materialId } = await keyWithCiphertext();
    const planted = randomBytes(32);
    defaultToken.plant(materialId, arn, planted);
    expect((await decrypt(ciphertext)).equals(plaintext)).toBe(true);
    const later = newPlaintext();
    const laterCiphertext = await encrypt(keyId, later);
    expect((await decrypt(laterCiphertext)).equals(later)).toBe(true);
    // The planter of the known value cannot read anything of it.
    const { nonce, ciphertext: encrypted } = parseCiphertextBlob(laterCiphertext);
    const opened = createDecipheriv('aes-256-gcm', planted, nonce).update(encrypted.subarray(0, -16));
    expect(opened.equals(later)).toBe(false);
    await restart();
    await expectUnusable(keyId, ciphertext, 'The HSM has more than one object for this key material.');
    expect(alerts(materialId)).toContain('material-ambiguous');
  });
});

describe('another key in place of a key, under its label and CKA_ID', () => {
  const mismatch = 'The key material in the HSM is not what the catalog says.';
  const wrongAnswer = 'The key material in the HSM failed its known-answer check.';

  it('of known value: never used, its attributes reveal it', async () => {
    const { keyId, arn, ciphertext, materialId } = await keyWithCiphertext();
    defaultToken.destroy(materialId);
    defaultToken.plant(materialId, arn, randomBytes(32));
    await restart();
    await expectUnusable(keyId, ciphertext, mismatch);
    expect(alerts(materialId)).toContain('material-mismatch');
  });

  it('made in the token, with genuine attributes: never used, the canary reveals it', async () => {
    const { keyId, arn, ciphertext, materialId } = await keyWithCiphertext();
    defaultToken.destroy(materialId);
    defaultToken.generate(materialId, arn);
    await restart();
    await expectUnusable(keyId, ciphertext, wrongAnswer);
    expect(alerts(materialId)).toContain('canary-failed');
  });

  it('swapped under a running server: never used', async () => {
    const { keyId, arn, ciphertext, materialId } = await keyWithCiphertext();
    defaultToken.destroy(materialId);
    defaultToken.plant(materialId, arn, randomBytes(32));
    // The old handle is dead; the one found in its place is judged anew.
    await expectUnusable(keyId, ciphertext, mismatch);
  });

  it('nothing in its place: the key cannot be used, and no ciphertext is reported as invalid', async () => {
    const { keyId, ciphertext, materialId } = await keyWithCiphertext();
    defaultToken.destroy(materialId);
    await restart();
    await expectUnusable(keyId, ciphertext, 'The key material is not in the HSM.');
    expect(alerts(materialId)).toContain('material-missing');
  });
});

describe('keys on a token that the catalog does not know', () => {
  it('are reported at connect and left alone', async () => {
    const foreign = randomBytes(32).toString('hex');
    defaultToken.generate(foreign, 'a key of another application');
    await restart();
    await server.server.intentRecovery.checkInventory(defaultCluster.clusterId);
    await server.server.intentRecovery.runNow();
    expect(defaultToken.withId(foreign)).toHaveLength(1);
    expect(readFileSync(deployment.logPath, 'utf8')).toMatch(
      new RegExp(`"materialIds":\\[[^\\]]*${foreign}[^\\]]*\\].*the catalog does not know`),
    );
  });
});
