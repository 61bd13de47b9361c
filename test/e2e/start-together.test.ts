import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { addon, connect, makeKey, memberOptions, moduleOf, soon } from '../native/fixture.js';
import { createSoftHsm } from '../softhsm.js';
import { randomPin } from './deployment.js';
import { SecretLedger } from './secret-ledger.js';

const processes = 8;
const rounds = 25;

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const pin = randomPin();
const tokenLabel = 'shared';
const hsm = createSoftHsm({ tokens: [{ label: tokenLabel, userPin: pin }] });
const lockDirectory = join(mkdtempSync(join(tmpdir(), 'holdfast-locks-')), 'locks');
let job: string;

/** A key for every process to use, with its canary. */
beforeAll(async () => {
  const pool = addon.createPool(10);
  const { id, label, material } = await makeKey(
    pool,
    await connect(pool, memberOptions(moduleOf(hsm), tokenLabel), pin),
  );
  expect(await pool.close(soon())).toBe(0);
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
  const { libraryPath, environment } = hsm;
  job = JSON.stringify({
    addonPath: here('../../native/build/Release/holdfast.node'),
    libraryPath,
    environment,
    tokenLabel,
    pin,
    lockDirectory,
    material: {
      id: hex(id),
      label,
      canaryNonce: hex(material.canaryNonce),
      canaryCiphertext: hex(material.canaryCiphertext),
      canaryAdditionalData: hex(material.canaryAdditionalData),
      canaryPlaintext: hex(material.canaryPlaintext),
    },
  });
});

afterAll(() => {
  const ledger = new SecretLedger();
  ledger.add('PIN', pin);
  expect([...ledger.findBelow(hsm.directory, /^$/), ...ledger.findBelow(lockDirectory, /^$/)]).toEqual([]);
  hsm.dispose();
  rmSync(join(lockDirectory, '..'), { recursive: true });
});

interface Child {
  process: ChildProcess;
  lines: AsyncIterator<string>;
}

async function ready(): Promise<Child> {
  const child = spawn(process.execPath, [here('start-together.mjs')], { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.write(`${job}\n`);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  expect((await lines.next()).value).toBe('ready');
  return { process: child, lines };
}

async function outcome({ process: child, lines }: Child): Promise<unknown> {
  const ended = new Promise((resolve) => child.once('exit', (code, signal) => resolve(code ?? signal)));
  const line = (await lines.next()) as { value: string };
  return { ...(JSON.parse(line.value) as object), exit: await ended };
}

it(`${processes} processes that start together on one token, ${rounds} times: none fails`, async () => {
  const expected = { objects: 1, decrypted: true, hung: 0, exit: 0 };
  for (let round = 0; round < rounds; round += 1) {
    const children = await Promise.all(Array.from({ length: processes }, ready));
    const outcomes = children.map(outcome);
    for (const child of children) child.process.stdin?.write('go\n');
    expect(await Promise.all(outcomes)).toEqual(Array.from({ length: processes }, () => expected));
  }
}, 240_000);
