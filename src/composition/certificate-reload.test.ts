import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { CertificateAuthority, type IssuedCertificate } from '../../test/certificates.js';
import { ManualClock } from '../../test/manual-clock.js';
import type { CertificateEnd } from '../certificates/certificate-end.js';
import type { TlsListener } from '../config/configuration.js';
import { certificateReminder } from '../telemetry/certificate-events.js';
import { createLogger } from '../telemetry/logger.js';
import { CertificateReload } from './certificate-reload.js';
import { readTlsMaterial } from './listener-options.js';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-reload-'));
const at = (name: string): string => join(folder, name);
const dayMs = 86_400_000;

const authority = new CertificateAuthority({ name: 'Usual' });
const expired = new CertificateAuthority({ name: 'Expired', validity: 'past' });
const good = authority.issue({ commonName: 'server', usage: 'server' });
// Issued before a test sets its clock: that clock stands still, and a certificate begins when it is issued.
const next = authority.issue({ commonName: 'next\nforged', usage: 'server' });
const lists = {
  now: authority.revocationList(),
  past: authority.revocationList('past'),
  future: authority.revocationList('future'),
};

afterAll(() => {
  authority[Symbol.dispose]();
  expired[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

const listener: TlsListener = {
  kind: 'tls',
  address: '127.0.0.1',
  port: 0,
  certificate: at('server.pem'),
  key: at('server.key'),
  clientCertificateAuthority: at('ca.pem'),
  certificateRevocationList: at('crl.pem'),
};

function put(files: { server?: IssuedCertificate; ca?: Buffer; crl?: Buffer }): void {
  if (files.server !== undefined) {
    writeFileSync(at('server.pem'), files.server.certificate);
    writeFileSync(at('server.key'), files.server.key, { mode: 0o600 });
  }
  if (files.ca !== undefined) writeFileSync(at('ca.pem'), files.ca);
  if (files.crl !== undefined) writeFileSync(at('crl.pem'), files.crl);
}

let told: string[];
let loaded: readonly CertificateEnd[];
let replaced: number;
let clock: ManualClock;
let lines: Record<string, unknown>[];

async function inUse(): Promise<CertificateReload> {
  const logger = createLogger('info', { write: (line) => lines.push(JSON.parse(line) as Record<string, unknown>) });
  return new CertificateReload([listener], [await readTlsMaterial(listener)], {
    clock,
    events: {
      loaded(ends, problem) {
        loaded = ends;
        told.push(problem === undefined ? 'loaded' : `loaded, ${problem}`);
      },
      refused: (_, problem) => told.push(`refused, ${problem}`),
      failed: (_, error) => told.push(`failed, ${(error as Error).message}`),
      remind: certificateReminder({ logger, metrics: undefined }, clock),
    },
    // As in the listener: OpenSSL detects broken or mismatched files.
    replace(_, { certificate, key, clientCertificateAuthority }) {
      createSecureContext({ cert: certificate, key, ca: clientCertificateAuthority });
      replaced += 1;
    },
    onBackgroundError: (error) => told.push(String(error)),
  });
}

beforeEach(() => {
  told = [];
  lines = [];
  replaced = 0;
  clock = new ManualClock(new Date());
  put({ server: good, ca: authority.certificate, crl: lists.now });
});

describe('files that would turn every client away do not replace good ones', () => {
  test.each([
    [
      'a server certificate that has expired',
      () => put({ server: authority.issue({ commonName: 's', usage: 'server', validity: 'past' }) }),
      /^refused, the server certificate expired on 2020/,
    ],
    [
      'a server certificate that is not valid yet',
      () => put({ server: authority.issue({ commonName: 's', usage: 'server', validity: 'future' }) }),
      /^refused, the server certificate is not valid before 2049/,
    ],
    [
      'an authority that has expired',
      () => put({ ca: expired.certificate }),
      /^refused, no client would be accepted: CN=Expired: it expired/,
    ],
    [
      'no authority',
      () => put({ ca: Buffer.from('nothing') }),
      /^refused, no client would be accepted: there is no certificate authority/,
    ],
    [
      'a list that has ended',
      () => put({ crl: lists.past }),
      /^refused, no client would be accepted: .* list ended on 2020/,
    ],
    ['a list that is not valid yet', () => put({ crl: lists.future }), /^refused, .* is not valid before 2049/],
    [
      'a list of another authority',
      () => put({ crl: expired.revocationList() }),
      /^refused, .* no revocation list that it issued/,
    ],
    ['a file without a list', () => put({ crl: Buffer.from('') }), /^refused, /],
    [
      'the key of another certificate',
      () => writeFileSync(at('server.key'), authority.issue({ commonName: 'x', usage: 'server' }).key),
      /^failed, .*key values mismatch/,
    ],
    [
      'a key that others may read',
      () => {
        rmSync(at('server.key'));
        writeFileSync(at('server.key'), good.key, { mode: 0o644 });
      },
      /^failed, .*is open to others/,
    ],
    ['a file that is missing', () => rmSync(at('ca.pem')), /^failed, .*does not exist/],
  ])('%s', async (_, change, outcome) => {
    const reload = await inUse();
    const before = reload.ends();
    change();
    await expect(reload.reload()).rejects.toThrow();
    expect(told).toEqual([expect.stringMatching(outcome)]);
    expect(reload.trouble).not.toBeNull();
    expect(replaced).toBe(0);
    expect(reload.ends()).toEqual(before);
    put({ server: good, ca: authority.certificate, crl: lists.now });
    rmSync(at('server.key'));
    put({ server: good });
    await reload.reload();
    expect(told.at(-1)).toBe('loaded');
    expect(reload.trouble).toBeNull();
  });
});

describe('a reload', () => {
  test('reports subject and expiry of every certificate in use from then on', async () => {
    const reload = await inUse();
    put({ server: next, ca: Buffer.concat([authority.certificate, expired.certificate]) });
    await reload.reload();
    expect(told).toEqual(['loaded']);
    expect(loaded.map(({ kind, subject }) => [kind, subject])).toEqual([
      ['server-certificate', expect.stringMatching(/^CN=next.*forged$/)],
      ['client-authority', 'CN=Usual'],
      ['client-authority', 'CN=Expired'],
      ['revocation-list', 'CN=Usual'],
    ]);
    expect(loaded[0]?.subject).not.toContain('\n');
    expect(loaded.at(-1)?.notAfter?.getTime()).toBeGreaterThan(Date.now() + 29 * dayMs);
    expect(reload.ends()).toEqual(loaded);
  });

  test('replaces bad files with other bad ones, and says so: refusing them would not help', async () => {
    put({ crl: lists.past });
    const reload = await inUse();
    await reload.reload();
    expect(told).toEqual([expect.stringMatching(/^loaded, no client would be accepted/)]);
    put({ crl: lists.now });
    await reload.reload();
    expect(told.at(-1)).toBe('loaded');
  });
});

describe('reminders', () => {
  test('come once a day from fourteen days before the expiry, and become alerts after it', async () => {
    const reload = await inUse();
    reload.start();
    const pass = async (durationMs: number): Promise<void> => {
      clock.advance(durationMs);
      await new Promise((resolve) => setImmediate(resolve));
    };
    const messages = () =>
      lines.splice(0).map(({ level, kind, msg }) => `${String(level)} ${String(kind)}: ${String(msg)}`);
    expect(messages()).toEqual([]);
    for (let day = 1; day <= 15; day += 1) await pass(dayMs);
    expect(messages()).toEqual([]);
    await pass(dayMs * 2);
    const soon = messages();
    expect(soon).toContain('warn server-certificate: a certificate or revocation list ends soon');
    expect(soon).toContain('warn revocation-list: a certificate or revocation list ends soon');
    for (let day = 1; day <= 15; day += 1) await pass(dayMs);
    const after = messages();
    expect(after.filter((line) => line.includes('server-certificate')).length).toBeGreaterThanOrEqual(14);
    expect(after.at(-1)).toContain('error revocation-list: ALERT: a certificate or revocation list has ended');
    await reload.stop();
    await pass(dayMs * 2);
    expect(messages()).toEqual([]);
  });
});
