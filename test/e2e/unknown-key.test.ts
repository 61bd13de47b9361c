import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { holdfast } from '../cli/session.js';
import type { HoldfastClient, Message } from './client.js';
import { Deployment, type RunningServer } from './deployment.js';

/** The unchanged answer to callers. */
const plain = 'The ciphertext, or the encryption context that it is bound to, is not valid.';

const deployment = new Deployment({ customClusters: [] });
const path = join(deployment.folder, 'catalog.sqlite');
let server: RunningServer;
let operator: HoldfastClient;
let user: HoldfastClient;
let lost: { keyId: string; ciphertext: Buffer };
let known: { keyId: string; ciphertext: Buffer };

async function newKey(): Promise<typeof lost> {
  const { key_id: keyId } = (await operator.call('CreateKey', {}))['key_metadata'] as { key_id: string };
  const plaintext = Buffer.from('of which catalog?');
  const { ciphertext_blob: ciphertext } = await operator.call('Encrypt', { key_id: keyId, plaintext });
  return { keyId, ciphertext: ciphertext as Buffer };
}

async function start(): Promise<void> {
  server = await deployment.start();
  [operator, user] = [server.client(), server.client('app')];
  await server.defaultKeyStoreConnected(operator);
}

/** A key of a lost catalog, and one of the catalog that replaced it. */
beforeAll(async () => {
  await start();
  lost = await newKey();
  await server.stop();
  for (const end of ['', '-wal', '-shm']) if (existsSync(path + end)) renameSync(path + end, `${path}.old${end}`);
  rmSync(deployment.auditPath);
  await start();
  known = await newKey();
  await operator.call('CreateAlias', { alias_name: 'alias/app', target_key_id: known.keyId });
});
afterAll(async () => {
  await server.stop();
  deployment.dispose();
});

/** The header's material id begins at byte 20. */
const withOtherMaterial = () => {
  const changed = Buffer.from(known.ciphertext);
  changed[20] = (changed[20] ?? 0) ^ 1;
  return changed;
};
const lastRecord = () => deployment.auditRecords().at(-1) ?? {};

describe.each([
  ['a key', () => lost.ciphertext, () => lost.keyId, 'which this catalog does not know in account 111122223333'],
  ['key material', withOtherMaterial, () => known.keyId, 'which it does not know'],
])('a ciphertext of %s that the catalog does not know', (_, ciphertext, keyId, words) => {
  const requests: [string, () => Message][] = [
    ['Decrypt', () => ({ ciphertext_blob: ciphertext() })],
    ['ReEncrypt', () => ({ ciphertext_blob: ciphertext(), destination_key_id: 'alias/app' })],
    ['Decrypt', () => ({ ciphertext_blob: ciphertext(), key_id: 'alias/app' })],
  ];

  it.each(requests)(
    '%s: administrators and the audit log learn which; others get the usual answer',
    async (method, request) => {
      const toOperator = await operator.refusal(method, request());
      expect(toOperator).toMatchObject({ reason: 'INVALID_CIPHERTEXT' });
      expect(toOperator.message).toContain(`names key ${keyId()},`);
      expect(toOperator.message).toContain(words);
      const parameters = {
        unknown_key_id: keyId(),
        unknown_key_material_id: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      };
      expect(lastRecord()).toMatchObject({ errorCode: 'INVALID_CIPHERTEXT', outcome: 'failed', parameters });
      expect(await user.refusal(method, request())).toMatchObject({
        reason: 'INVALID_CIPHERTEXT',
        message: expect.stringContaining(plain) as string,
      });
      expect(lastRecord()).toMatchObject({ principal: expect.stringContaining('user/app') as string, parameters });
    },
  );
});

it('a changed ciphertext of a known key gets the usual answer, and names nothing', async () => {
  const changed = Buffer.from(known.ciphertext);
  changed[changed.length - 1] = (changed.at(-1) ?? 0) ^ 1;
  const refusal = await operator.refusal('Decrypt', { ciphertext_blob: changed });
  expect(refusal.message).toContain(plain);
  expect(JSON.stringify(lastRecord())).not.toContain('unknown_key');
});

describe('holdfast ciphertext describe', () => {
  const file = join(deployment.folder, 'message.enc');
  const describeFile = (name: string, ...more: string[]) => holdfast(['ciphertext', 'describe', name, ...more]);

  it('shows the key of a ciphertext without a server: a file, base64 in it, or stdin', async () => {
    const expected = {
      format_version: 1,
      key_id: lost.keyId,
      algorithm: 'AES_256_GCM',
      nonce_bytes: 12,
      tag_bytes: 16,
      ciphertext_bytes: 17,
      total_bytes: 99,
    };
    writeFileSync(file, lost.ciphertext);
    const found = JSON.parse((await describeFile(file, '--output', 'json')).stdout) as Message;
    expect(found).toMatchObject({ ...expected, material_id: lost.ciphertext.subarray(20, 52).toString('hex') });
    writeFileSync(file, `${lost.ciphertext.toString('base64')}\n`);
    for (const more of [[], ['--base64']]) {
      expect(JSON.parse((await describeFile(file, '--output', 'json', ...more)).stdout)).toEqual(found);
    }
    const piped = await holdfast(['ciphertext', 'describe', '-'], { stdin: lost.ciphertext });
    expect(piped.stdout).toMatch(new RegExp(`^key_id +${lost.keyId}$`, 'm'));
  });

  it.each([
    ['nothing', Buffer.alloc(0), /does not begin with HF/],
    ['a text', Buffer.from('hello'), /does not begin with HF/],
    ['a newer format', Buffer.from('HF\u0007' + 'x'.repeat(100)), /has format 7/],
    ['a truncated file', Buffer.from('HF\u0001' + 'x'.repeat(40)), /43 bytes, and at least 83 are needed/],
    ['a file that is too long', Buffer.from('HF\u0001' + 'x'.repeat(5_000)), /at most 4178 are possible/],
    ['another algorithm', Buffer.from('HF\u0001' + 'x'.repeat(100)), /does not have/],
  ])('says why %s is not a ciphertext', async (_, bytes, why) => {
    writeFileSync(file, bytes);
    expect(await describeFile(file)).toMatchObject({
      exitCode: 5,
      stdout: '',
      stderr: expect.stringMatching(why) as string,
    });
  });
});
