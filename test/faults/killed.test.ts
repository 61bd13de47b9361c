/**
 * `holdfast serve`, killed (SIGKILL) while a PKCS#11 call is inside the HSM: a new process starts on the same catalog
 * and token, and everything is as if the call had never been made, or had been answered.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, expect, test } from 'vitest';
import { Accounting } from '../e2e/accounting.js';
import type { HoldfastClient, Message } from '../e2e/client.js';
import { Deployment, type SpawnedServer } from '../e2e/deployment.js';
import { decrypt, expectSame, grpcOperations, makeSubject } from './operations.js';
import { documentedTable, printTable, updateDocumentedTable } from './outcome-table.js';
import { until } from './replicated-server.js';

const full = process.env['HOLDFAST_FAULTS'] === 'full';
/** The place of each operation when the server is killed; the first one of each in `npm test`. */
const inside: Record<string, string[]> = {
  Encrypt: ['C_Encrypt', 'C_EncryptInit'],
  Decrypt: ['C_Decrypt', 'C_DecryptInit'],
  GenerateDataKey: ['C_GenerateRandom', 'C_EncryptInit', 'C_Encrypt'],
  GenerateDataKeyWithoutPlaintext: ['C_Encrypt', 'C_EncryptInit'],
  ReEncrypt: ['C_Encrypt', 'C_Decrypt'],
  GenerateRandom: ['C_GenerateRandom'],
  CreateKey: ['C_Encrypt', 'C_GenerateKey', 'C_GetAttributeValue', 'C_EncryptInit', 'C_DecryptInit', 'C_Decrypt'],
};
/** The calls of a starting server, which has no callers yet. */
const starting = ['C_Login', 'C_OpenSession', 'C_FindObjectsInit', 'C_Initialize'];
const ways = full ? ['hang', 'delay 300'] : ['hang'];
const killed = (functionNames: string[]) => (full ? functionNames : functionNames.slice(0, 1));

interface Outcome {
  operation: string;
  functionName: string;
  way: string;
  answer: string;
  backAfterMs: number;
}

const deployment = new Deployment({ customClusters: [], faulty: ['default'] });
const fault = deployment.fault('default');
const accounting = new Accounting(deployment);
const outcomes: Outcome[] = [];
const kept: { ciphertext: unknown; plaintext: Buffer }[] = [];
let keyIds: string[] = [];
let reserved = new Map<string, number>();

afterAll(() => {
  expect(deployment.findSecrets()).toEqual([]);
  deployment.dispose();
  printTable(tableOf(outcomes));
  if (full) updateDocumentedTable('killed', tableOf(outcomes));
});

/** The work of a caller, once the fault is set; resolves with its result. */
type Work = () => Promise<string>;

/** One life of a server: it is killed while `functionName`, called by the work, is inside the HSM. */
async function life(functionName: string, way: string, prepare: (client: HoldfastClient) => Promise<Work>) {
  const server = await deployment.spawn();
  const client = server.client();
  await server.defaultKeyStoreConnected(client);
  await expectAllKept(client);
  await encryptWithEveryKey(client);
  const work = await prepare(client);
  const answer = await killedInside(server, functionName, way, work);
  client.close();
  return answer;
}

async function killedInside(server: SpawnedServer, functionName: string, way: string, work: Work): Promise<string> {
  const called = fault.calls(functionName);
  fault.obey(`${functionName} ${way}`);
  const answer = work();
  await until(`${functionName} is inside`, () => fault.calls(functionName) > called, 90_000);
  expect(await server.end('SIGKILL')).toBe('SIGKILL');
  fault.heal();
  return answer;
}

/** Ciphertexts from before any kill decrypt, and no encryption is accounted for twice. */
async function expectAllKept(client: HoldfastClient): Promise<void> {
  for (const { ciphertext, plaintext } of kept) {
    expectSame('What was encrypted before the kill', await decrypt(client, ciphertext), plaintext);
  }
}

async function encryptWithEveryKey(client: HoldfastClient): Promise<void> {
  for (const keyId of keyIds) {
    const plaintext = randomBytes(24);
    const { ciphertext_blob: ciphertext } = await client.call('Encrypt', { key_id: keyId, plaintext });
    kept.push({ ciphertext, plaintext });
  }
  // The rest of the previous server's reservations is lost, and never handed out again.
  const { keys, reservations } = accounting.readCatalog();
  for (const keyId of keyIds) {
    const materialId = keys.find((key) => key['key_id'] === keyId)?.['current_material_id'] ?? '';
    expect(reservations.get(materialId) ?? 0).toBeGreaterThan(reserved.get(materialId) ?? 0);
  }
  for (const [materialId, count] of reserved) expect(reservations.get(materialId) ?? 0).toBeGreaterThanOrEqual(count);
  reserved = reservations;
}

/** The time from the start of the process to the first answer. */
async function backAfter(): Promise<number> {
  const startMs = performance.now();
  const server = await deployment.spawn();
  const client = server.client();
  await server.defaultKeyStoreConnected(client);
  const tookMs = performance.now() - startMs;
  await accounting.expectAllKeysWork(client);
  await expectAllKept(client);
  client.close();
  expect(await server.end('SIGTERM')).toBe(0);
  return tookMs;
}

async function answerOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
    return 'ok';
  } catch (error) {
    const { reason } = error as Message;
    return typeof reason === 'string' ? reason : 'connection lost';
  }
}

async function prepare(operation: string, client: HoldfastClient): Promise<Work> {
  const work = grpcOperations(await makeSubject(client, keyIds)).find(({ name }) => name === operation);
  if (work === undefined) throw new Error(`There is no operation ${operation}.`);
  return () => answerOf(work.run());
}

async function record(cell: Omit<Outcome, 'backAfterMs'>): Promise<void> {
  accounting.expectAccounted();
  outcomes.push({ ...cell, backAfterMs: await backAfter() });
  accounting.expectAccounted();
}

/** One row for each operation. */
function tableOf(all: readonly Outcome[]): string[] {
  const operations = [...new Set(all.map(({ operation }) => operation))];
  const listed = (values: readonly string[]): string => [...new Set(values)].join(', ');
  const row = (operation: string): string => {
    const its = all.filter((outcome) => outcome.operation === operation);
    const slowestMs = Math.max(...its.map(({ backAfterMs }) => backAfterMs)).toFixed(0);
    const where = listed(its.map(({ functionName }) => functionName));
    return `| ${[operation, where, its.length, listed(its.map(({ answer }) => answer)), slowestMs].join(' | ')} |`;
  };
  return [
    '| killed in | while the HSM was in | kills | the caller saw | serves again after, ms |',
    '| --- | --- | ---: | --- | ---: |',
    ...operations.map(row),
  ];
}

test('two keys are made', async () => {
  const server = await deployment.spawn();
  const client = server.client();
  await server.defaultKeyStoreConnected(client);
  for (let made = 0; made < 2; made += 1) {
    const created = (await client.call('CreateKey', {}))['key_metadata'] as Message;
    accounting.acknowledged.add(created['key_id'] as string);
  }
  keyIds = [...accounting.acknowledged];
  await encryptWithEveryKey(client);
  client.close();
  expect(await server.end('SIGTERM')).toBe(0);
}, 60_000);

const cells = Object.entries(inside).flatMap(([operation, functionNames]) =>
  killed(functionNames).flatMap((functionName) => ways.map((way) => [operation, functionName, way] as const)),
);

test.each(cells)(
  '%s, killed while %s is inside the HSM (%s)',
  async (operation, functionName, way) => {
    const answer = await life(functionName, way, (client) => prepare(operation, client));
    if (way === 'hang') expect(answer).toBe('connection lost');
    await record({ operation, functionName, way, answer });
  },
  120_000,
);

test.each(killed(starting))(
  'its start, killed while %s is inside the HSM',
  async (functionName) => {
    const called = fault.calls(functionName);
    fault.obey(`${functionName} hang`);
    const server = await deployment.spawn();
    await until(`${functionName} is inside`, () => fault.calls(functionName) > called);
    expect(await server.end('SIGKILL')).toBe('SIGKILL');
    fault.heal();
    await record({ operation: 'start', functionName, way: 'hang', answer: 'connection lost' });
    expect(fault.counts('C_Login').failed).toBe(0);
  },
  120_000,
);

/** The destruction round comes once a minute. */
test.runIf(full)(
  'the destruction of a key, killed while C_DestroyObject is inside the HSM',
  async () => {
    const doomed = await life('C_DestroyObject', 'hang', async (client) => {
      const created = (await client.call('CreateKey', {}))['key_metadata'] as Message;
      const keyId = created['key_id'] as string;
      await client.call('ScheduleKeyDeletion', { key_id: keyId, pending_window_in_days: 7 });
      becomeDue(keyId);
      return () => Promise.resolve(keyId);
    });
    await record({ operation: 'destroy', functionName: 'C_DestroyObject', way: 'hang', answer: 'no caller' });
    expect(accounting.readCatalog().keys.find((key) => key['key_id'] === doomed)?.['state']).toBe('Deleting');
  },
  240_000,
);

test('after the bounds of the clean-up the token contains exactly the keys of the catalog', async () => {
  const { keys, intents } = accounting.readCatalog();
  expect(intents.filter(({ state }) => state !== 'destroyed')).not.toEqual([]);
  await accounting.cleanUp();
  const deleting = accounting.readCatalog().keys.filter(({ state }) => state === 'Deleting');
  expect(deleting).toEqual([]);
  expect(accounting.onToken().length).toBe(keys.filter(({ state }) => state === 'Enabled').length);
}, 120_000);

test('docs/faults/outcomes.md has a row for each operation', () => {
  for (const operation of [...Object.keys(inside), 'start', 'destroy'])
    expect(documentedTable('killed')).toContain(`\n| ${operation} |`);
});

/** Moves the date of a deletion into the past, as if its seven days were over. */
function becomeDue(keyId: string): void {
  const database = new Database(join(deployment.folder, 'catalog.sqlite'));
  database.prepare('update keys set deletion_date = ? where key_id = ?').run(Date.now() - 60_000, keyId);
  database.close();
}
