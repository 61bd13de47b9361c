import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Clock } from '../../src/clock.js';
import { canaryAdditionalData, canaryPlaintext } from '../../src/keys/canary.js';
import type {
  EncryptedData,
  EncryptionCanary,
  HsmCluster,
  MacCanary,
  MacLength,
  MaterialReference,
} from '../../src/clusters/hsm-cluster.js';
import type { HsmCall } from '../../src/calls/hsm-call.js';
import { Secret } from '../../src/secret.js';

export interface OpenedCluster {
  cluster: HsmCluster;
  clock: Clock;
  /** Puts another AES-256 key under the material's id and label, without the cluster's knowledge. */
  swapMaterial(materialId: string): void | Promise<void>;
  close(): void | Promise<void>;
}

const additionalData = Uint8Array.of(0xff, 0xff, 1, 2, 3);
const secret = (bytes: Uint8Array): Secret => new Secret(Uint8Array.from(bytes));
const revealed = (opened: Secret): Buffer => Buffer.from(opened.reveal());
const newMaterialId = (): string => randomBytes(32).toString('hex');

/** The promises of every implementation of the HSM port. Run it from the implementation's own test file. */
export function hsmClusterContract(name: string, open: () => Promise<OpenedCluster>): void {
  describe(`HsmCluster contract: ${name}`, () => {
    let opened: OpenedCluster;
    let cluster: HsmCluster;
    const soon = (): number => opened.clock.monotonicMs() + 20_000;
    const inTime = (): HsmCall => ({ deadlineMs: soon() });

    async function newMaterial(macLength?: MacLength): Promise<MaterialReference> {
      const materialId = newMaterialId();
      const label = `arn:aws:kms:eu-central-1:111122223333:key/${materialId.slice(0, 8)}`;
      const request = { materialId, label, macLength };
      const { canary, extractable } = await cluster.perform('generateKeyMaterial', request, inTime());
      return { materialId, label, extractable, canary };
    }

    beforeAll(async () => {
      opened = await open();
      cluster = opened.cluster;
    });
    afterAll(async () => opened.close());

    it('makes material with the canary that canary.ts describes', async () => {
      const material = await newMaterial();
      const { materialId } = material;
      const canary = material.canary as EncryptionCanary;
      expect(canary.nonce.length).toBe(12);
      expect(canary.ciphertext.length).toBe(32 + 16);
      const answer = await cluster.perform(
        'decrypt',
        { material, encrypted: canary, additionalData: canaryAdditionalData(materialId) },
        inTime(),
      );
      expect(revealed(answer)).toEqual(Buffer.from(canaryPlaintext(materialId)));
    });

    it.each([1, 15, 16, 17, 32, 1024, 4095, 4096])('decrypts what it encrypted: %i bytes', async (length) => {
      const material = await newMaterial();
      const bytes = randomBytes(length);
      const plaintext = secret(bytes);
      const encrypted = await cluster.perform('encrypt', { material, plaintext, additionalData }, inTime());
      expect(encrypted.nonce.length).toBe(12);
      expect(encrypted.ciphertext.length).toBe(length + 16);
      expect(revealed(plaintext), 'the plaintext is still the caller’s').toEqual(bytes);
      expect(revealed(await cluster.perform('decrypt', { material, encrypted, additionalData }, inTime()))).toEqual(
        bytes,
      );
    });

    it.each([28, 32, 48, 64] as const)('makes MACs of %i bytes, and the same again', async (macLength) => {
      const material = await newMaterial(macLength);
      expect((material.canary as MacCanary).mac).toHaveLength(macLength);
      const macOf = async (text: string, expected?: Uint8Array): Promise<Buffer> => {
        const message = secret(Buffer.from(text));
        return Buffer.from(revealed(await cluster.perform('mac', { material, message, expected }, inTime())));
      };
      const mac = await macOf('a message');
      expect(mac).toHaveLength(macLength);
      expect(await macOf('a message', mac)).toEqual(mac);
      // Whatever the caller expects, the answer is the right one.
      expect(await macOf('a message', new Uint8Array(macLength))).toEqual(mac);
      expect(await macOf('another message', mac)).not.toEqual(mac);
      const other = await newMaterial(macLength);
      const message = secret(Buffer.from('a message'));
      expect(revealed(await cluster.perform('mac', { material: other, message }, inTime()))).not.toEqual(mac);
    });

    it('never uses a nonce twice', async () => {
      const material = await newMaterial();
      const encrypt = (): Promise<EncryptedData> =>
        cluster.perform('encrypt', { material, plaintext: secret(Uint8Array.of(1)), additionalData }, inTime());
      const encrypted = await Promise.all(Array.from({ length: 64 }, encrypt));
      expect(new Set(encrypted.map(({ nonce }) => Buffer.from(nonce).toString('hex'))).size).toBe(64);
    });

    it('accepts the maximum length of additional data', async () => {
      const material = await newMaterial();
      const long = randomBytes(2 + 54 + 8192);
      const encrypted = await cluster.perform(
        'encrypt',
        { material, plaintext: secret(Uint8Array.of(7)), additionalData: long },
        inTime(),
      );
      expect(
        revealed(await cluster.perform('decrypt', { material, encrypted, additionalData: long }, inTime())),
      ).toEqual(Buffer.of(7));
    });

    it('refuses every change, and keeps working', async () => {
      const material = await newMaterial();
      const other = await newMaterial();
      const encrypted = await cluster.perform(
        'encrypt',
        { material, plaintext: secret(Buffer.from('a secret')), additionalData },
        inTime(),
      );
      const flipped = (bytes: Uint8Array, index: number): Uint8Array => bytes.with(index, (bytes[index] ?? 0) ^ 1);
      const attempts: [MaterialReference, EncryptedData, Uint8Array][] = [
        [material, { ...encrypted, ciphertext: flipped(encrypted.ciphertext, 0) }, additionalData],
        [
          material,
          { ...encrypted, ciphertext: flipped(encrypted.ciphertext, encrypted.ciphertext.length - 1) },
          additionalData,
        ],
        [material, { ...encrypted, ciphertext: encrypted.ciphertext.subarray(0, -1) }, additionalData],
        [material, { ...encrypted, ciphertext: new Uint8Array([...encrypted.ciphertext, 0]) }, additionalData],
        [material, { ...encrypted, nonce: flipped(encrypted.nonce, 0) }, additionalData],
        [material, encrypted, flipped(additionalData, 0)],
        [material, encrypted, additionalData.subarray(0, -1)],
        [other, encrypted, additionalData],
      ];
      for (const [reference, changed, data] of attempts) {
        await expect(
          cluster.perform('decrypt', { material: reference, encrypted: changed, additionalData: data }, inTime()),
        ).rejects.toMatchObject({
          code: 'INVALID_CIPHERTEXT',
        });
      }
      expect(
        revealed(await cluster.perform('decrypt', { material, encrypted, additionalData }, inTime())).toString(),
      ).toBe('a secret');
    });

    it.each([1, 16, 32, 1024])('makes data keys: %i bytes', async (length) => {
      const material = await newMaterial();
      const { plaintext, encrypted } = await cluster.perform(
        'generateDataKey',
        { material, lengthBytes: length, additionalData },
        inTime(),
      );
      expect(plaintext.byteLength).toBe(length);
      expect(revealed(await cluster.perform('decrypt', { material, encrypted, additionalData }, inTime()))).toEqual(
        revealed(plaintext),
      );
    });

    it('makes random bytes', async () => {
      const first = await cluster.perform('random', { lengthBytes: 1024 }, inTime());
      const second = await cluster.perform('random', { lengthBytes: 1024 }, inTime());
      expect(first.byteLength).toBe(1024);
      expect(revealed(first)).not.toEqual(revealed(second));
      expect((await cluster.perform('random', { lengthBytes: 1 }, inTime())).byteLength).toBe(1);
    });

    it('lists its materials, without those that were destroyed', async () => {
      const { materialId } = await newMaterial();
      const held = async (): Promise<boolean[]> =>
        (await cluster.perform('listMaterialIds', {}, { deadlineMs: soon() })).map(({ materialIds }) =>
          materialIds.includes(materialId),
        );
      expect(await held()).not.toContain(false);
      await cluster.perform('destroyKeyMaterial', { materialId }, { deadlineMs: soon() });
      expect(await held()).not.toContain(true);
      await cluster.perform('destroyKeyMaterial', { materialId }, { deadlineMs: soon() });
    });

    it('does not use material that is missing', async () => {
      const material = await newMaterial();
      const encrypted = await cluster.perform(
        'encrypt',
        { material, plaintext: secret(Uint8Array.of(1)), additionalData },
        inTime(),
      );
      await cluster.perform('destroyKeyMaterial', { materialId: material.materialId }, { deadlineMs: soon() });
      await expectUnusable(material, encrypted);
      await expectUnusable({ ...material, materialId: newMaterialId() }, encrypted);
    });

    it('does not use material that was swapped', async () => {
      const material = await newMaterial();
      await opened.swapMaterial(material.materialId);
      await expectUnusable(material, { nonce: new Uint8Array(12), ciphertext: new Uint8Array(17) });
    });

    async function expectUnusable(material: MaterialReference, encrypted: EncryptedData): Promise<void> {
      const code = { code: 'KMS_INVALID_STATE' };
      const encryption = cluster.perform(
        'encrypt',
        { material, plaintext: secret(Uint8Array.of(1)), additionalData },
        inTime(),
      );
      await expect(encryption).rejects.toMatchObject(code);
      await expect(cluster.perform('decrypt', { material, encrypted, additionalData }, inTime())).rejects.toMatchObject(
        code,
      );
      await expect(
        cluster.perform('generateDataKey', { material, lengthBytes: 32, additionalData }, inTime()),
      ).rejects.toMatchObject(code);
    }

    it('answers DEPENDENCY_TIMEOUT after the deadline', async () => {
      const material = await newMaterial();
      const timeout = { code: 'DEPENDENCY_TIMEOUT' };
      const past = { deadlineMs: opened.clock.monotonicMs() - 1 };
      await expect(cluster.perform('random', { lengthBytes: 8 }, past)).rejects.toMatchObject(timeout);
      const encryption = cluster.perform(
        'encrypt',
        { material, plaintext: secret(Uint8Array.of(1)), additionalData },
        past,
      );
      await expect(encryption).rejects.toMatchObject(timeout);
    });
  });
}
