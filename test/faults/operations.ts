/** The operations of the matrix's callers, each with a check of its answer as far as an answer can be checked. */
import { randomBytes } from 'node:crypto';
import type { HoldfastClient, Message } from '../e2e/client.js';

export interface Operation {
  name: string;
  /** The PKCS#11 function that does its work: counted to see which member worked. */
  primary: string;
  /** Whether callers see no error while one healthy member is left (invariant 8). */
  failsOver: boolean;
  /** Whether calls must not overlap: SoftHSM 2.6.1 cannot make keys side by side (a race with its own searches). */
  oneAtATime: boolean;
  /** Rejects with the refusal. @returns the checks that remain when the HSMs are well again. */
  run(): Promise<() => Promise<void>>;
}

/** The inputs of the operations. */
export interface Subject {
  client: HoldfastClient;
  keyId: string;
  otherKeyId: string;
  plaintext: Buffer;
  ciphertext: Uint8Array;
}

const nothing = (): Promise<void> => Promise.resolve();

/** Encrypts once, which leaves something to decrypt. */
export async function makeSubject(client: HoldfastClient, keyIds: readonly string[]): Promise<Subject> {
  const [keyId, otherKeyId] = keyIds;
  if (keyId === undefined || otherKeyId === undefined) throw new Error('Two keys are needed.');
  const plaintext = randomBytes(32);
  const { ciphertext_blob: ciphertext } = await client.call('Encrypt', { key_id: keyId, plaintext });
  return { client, keyId, otherKeyId, plaintext, ciphertext: ciphertext as Uint8Array };
}

/** @throws for an unexpected result: a wrong one, which no failure of an HSM excuses. */
export function expectSame(what: string, got: unknown, expected: Uint8Array): void {
  if (Buffer.from(got as Uint8Array).equals(expected)) return;
  throw new WrongResult(`${what} is not what it was.`);
}

/** The one outcome that must never occur. */
export class WrongResult extends Error {}

export async function decrypt(client: HoldfastClient, ciphertext: unknown): Promise<unknown> {
  return (await client.call('Decrypt', { ciphertext_blob: ciphertext }))['plaintext'];
}

/** Every API operation that reaches a token for each call. */
export function grpcOperations(subject: Subject): Operation[] {
  const { client, keyId, otherKeyId, plaintext, ciphertext } = subject;
  const later = (what: string, blob: unknown, expected: Uint8Array | undefined) => async (): Promise<void> => {
    const opened = await decrypt(client, blob);
    if (expected !== undefined) expectSame(what, opened, expected);
  };
  const dataKey = { key_id: keyId, number_of_bytes: 32 };
  const rows: [string, string, () => Promise<() => Promise<void>>][] = [
    [
      'Encrypt',
      'C_Encrypt',
      async () => {
        const { ciphertext_blob } = await client.call('Encrypt', { key_id: keyId, plaintext });
        return later('What was encrypted', ciphertext_blob, plaintext);
      },
    ],
    [
      'Decrypt',
      'C_Decrypt',
      async () => {
        expectSame('What was decrypted', await decrypt(client, ciphertext), plaintext);
        return nothing;
      },
    ],
    [
      'GenerateDataKey',
      'C_Encrypt',
      async () => {
        const made = await client.call('GenerateDataKey', dataKey);
        return later('The data key', made['ciphertext_blob'], made['plaintext'] as Uint8Array);
      },
    ],
    [
      'GenerateDataKeyWithoutPlaintext',
      'C_Encrypt',
      async () => {
        const { ciphertext_blob } = await client.call('GenerateDataKeyWithoutPlaintext', dataKey);
        return later('The data key', ciphertext_blob, undefined);
      },
    ],
    [
      'ReEncrypt',
      'C_Encrypt',
      async () => {
        const request = { ciphertext_blob: ciphertext, destination_key_id: otherKeyId };
        const { ciphertext_blob } = await client.call('ReEncrypt', request);
        return later('What was encrypted again', ciphertext_blob, plaintext);
      },
    ],
    [
      'GenerateRandom',
      'C_GenerateRandom',
      async () => {
        await client.call('GenerateRandom', { number_of_bytes: 32 });
        return nothing;
      },
    ],
    ['CreateKey', 'C_GenerateKey', () => createKey(client)],
  ];
  return rows.map(([name, primary, run]) => {
    const repeatable = name !== 'CreateKey';
    return { name, primary, run, failsOver: repeatable, oneAtATime: !repeatable };
  });
}

/** It is made once: after a failure the intent finds out its outcome, not a second attempt. */
async function createKey(client: HoldfastClient): Promise<() => Promise<void>> {
  await client.call('CreateKey', {});
  return nothing;
}

/** The reason of a refusal: an `ErrorCode` if the server kept its promise. */
export function reasonOf(error: unknown): string {
  if (error instanceof WrongResult) throw error;
  const { reason, code } = error as Message;
  return typeof reason === 'string' ? reason : typeof code === 'string' ? code : String(error);
}
