/** Bad ciphertexts from callers, over gRPC and TLS; on SoftHSM each is CKR_GENERAL_ERROR (invariant 5). */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { decrypt, reasonOf } from './operations.js';
import { ReplicatedServer } from './replicated-server.js';

const count = process.env['HOLDFAST_FAULTS'] === 'full' ? 10_000 : 1_000;
const atATime = 100;
let server: ReplicatedServer;
let good: Uint8Array;

beforeAll(async () => {
  const limits = { operationTimeoutMs: 5_000, requestTimeoutMs: 20_000 };
  server = await ReplicatedServer.start({ memberCount: 1, keyCount: 1, lanes: 4, ...limits });
  const [keyId] = server.keyIds;
  const encrypted = await server.client().call('Encrypt', { key_id: keyId, plaintext: Buffer.from('a secret') });
  good = encrypted['ciphertext_blob'] as Uint8Array;
});

afterAll(() => server.dispose());

/** One byte of the tag is wrong: the header parses, so the HSM is asked. */
function bad(index: number): Uint8Array {
  const at = good.length - 1 - (index % 16);
  return good.with(at, (good[at] ?? 0) ^ (1 + (index % 255)));
}

async function answer(blob: Uint8Array): Promise<string> {
  try {
    await decrypt(server.client(), blob);
    return 'ok';
  } catch (error) {
    return reasonOf(error);
  }
}

test(`${count} bad ciphertexts are the caller's fault, a good one still decrypts, and a dying HSM is detected at once`, async () => {
  const { fault } = server.member(0);
  const suspended = () => server.events.of('member suspended/a');
  const before = fault.counts('C_Decrypt').failed;
  for (let done = 0; done < count; done += atATime) {
    const answers = await Promise.all(Array.from({ length: atATime }, (_, index) => answer(bad(done + index))));
    expect(new Set(answers)).toEqual(new Set(['INVALID_CIPHERTEXT']));
  }
  // Each is decrypted once more after its canary, before it is reported as bad.
  expect(fault.counts('C_Decrypt').failed - before).toBe(2 * count);
  expect(suspended()).toBe(0);
  expect(await answer(good)).toBe('ok');

  fault.remove('device-error');
  expect(await answer(bad(0))).toBe('KEY_UNAVAILABLE');
  expect(suspended()).toBe(1);
}, 240_000);
