import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { putFaultsBefore } from '../../../test/native/fault-hsm.js';
import { createSoftHsm } from '../../../test/softhsm.js';
import type { Configuration } from '../../config/configuration.js';
import { exampleConfiguration } from '../../config/example.js';
import { parseConfiguration } from '../../config/load.js';
import { listTokens } from '../../hsm/token-list.js';
import { systemClock } from '../../clock-system.js';
import { checkTokens } from './tokens.js';

const folder = mkdtempSync(join(tmpdir(), 'holdfast-doctor-'));
const hsm = createSoftHsm({ tokens: [{ label: 'alpha', userPin: '1234567' }] });
const lockDirectory = join(folder, 'locks');
const ids = ['cluster-aaaaaaaaaaa', 'cluster-bbbbbbbbbbb'];

afterAll(() => {
  rmSync(folder, { recursive: true });
  hsm.dispose();
});

interface Wanted {
  modules: Record<string, { path: string; environment?: Record<string, string>; privateInstance?: boolean }>;
  members: { module: string; tokenLabel?: string; tokenSerialNumber?: string }[];
}

/** One cluster per member, and the paths of the HSM. */
function configuration({ modules, members }: Wanted): Configuration {
  const tree = parse(exampleConfiguration(ids[0])) as Record<string, unknown>;
  const clusters = (tree['clusters'] as object[]).slice(0, 1);
  const all = members.map((member, index) => ({
    ...clusters[0],
    id: ids[index],
    name: `cluster-${index}`,
    members: [{ name: 'a', ...member }],
  }));
  const text = stringify({ ...tree, modules, clusters: all, lockDirectory }, { aliasDuplicateObjects: false });
  return parseConfiguration(text, join(folder, 'holdfast.yaml'));
}

async function failures(wanted: Wanted): Promise<string[]> {
  const findings = await checkTokens(configuration(wanted));
  return findings.filter(({ status }) => status === 'fail').map(({ subject, message }) => `${subject}: ${message}`);
}

const softHsm = { path: hsm.libraryPath, environment: hsm.environment };

test('one token in two clusters, by label, by serial number, and through links', async () => {
  const options = {
    libraryPath: hsm.libraryPath,
    environment: hsm.environment,
    privateInstance: true,
    initializationString: null,
  };
  const [token] = await listTokens(options, lockDirectory, systemClock.monotonicMs() + 10_000);
  const bySerialNumber = { module: 'one', tokenSerialNumber: token?.serialNumber ?? '' };
  const link = join(folder, 'link.conf');
  symlinkSync(hsm.configPath, link);
  const modules = { one: softHsm, two: { ...softHsm, environment: { SOFTHSM2_CONF: link } } };
  const found = ['member a of cluster cluster-1: token alpha is that of member a of cluster cluster-0 too'];
  expect(await failures({ modules, members: [{ module: 'one', tokenLabel: 'alpha' }, bySerialNumber] })).toEqual(found);
  const linked = { module: 'two', tokenLabel: 'alpha' };
  expect(await failures({ modules, members: [{ module: 'one', tokenLabel: 'alpha' }, linked] })).toEqual(found);
});

test('a token that is write-protected', async () => {
  const fault = putFaultsBefore(hsm);
  fault.set('tokenFlags', 0x2);
  const modules = { fault: { path: fault.module.libraryPath, environment: fault.module.environment } };
  expect(await failures({ modules, members: [{ module: 'fault', tokenLabel: 'alpha' }] })).toEqual([
    expect.stringContaining('member a of cluster cluster-0: its token is write-protected'),
  ]);
});

/** CKF_USER_PIN_LOCKED, CKF_USER_PIN_FINAL_TRY, CKF_USER_PIN_COUNT_LOW (PKCS#11 v2.40 §3.2), the worst first. */
test.each([
  ['locked', 0x40000, 'fail', /user PIN is locked/, /security officer/],
  ['at its last attempt', 0x20000, 'fail', /one attempt left/, /the service will not try/],
  ['tried wrongly', 0x10000, 'warn', /wrong user PIN was tried/, /find out who/],
  ['all of it', 0x70000, 'fail', /user PIN is locked/, /security officer/],
  ['well', 0, undefined, /./, /./],
] as const)('a token whose PIN is %s', async (name, flags, status, message, remedy) => {
  const fault = putFaultsBefore(hsm, `pin-${flags}-${name.length}`);
  fault.set('tokenFlags', flags);
  const modules = { fault: { path: fault.module.libraryPath, environment: fault.module.environment } };
  const findings = await checkTokens(configuration({ modules, members: [{ module: 'fault', tokenLabel: 'alpha' }] }));
  const about = findings.filter((finding) => finding.message.includes('PIN'));
  if (status === undefined) expect(about).toEqual([]);
  else
    expect(about).toMatchObject([
      { status, message: expect.stringMatching(message) as string, remedy: expect.stringMatching(remedy) as string },
    ]);
});

test('a token that does not answer is reported with its error', async () => {
  const fault = putFaultsBefore(hsm, 'broken');
  fault.obey('C_GetTokenInfo rv 0x30');
  const modules = { fault: { path: fault.module.libraryPath, environment: fault.module.environment } };
  expect(await failures({ modules, members: [{ module: 'fault', tokenLabel: 'alpha' }] })).toEqual([
    expect.stringMatching(/^module fault: it cannot be used: C_GetTokenInfo: CKR_DEVICE_ERROR \(0x30\)/),
  ]);
});

test('libraries that cannot be used, beside one that can', async () => {
  const cut = join(folder, 'cut.so');
  writeFileSync(cut, 'no library');
  const modules = {
    cut: { path: cut },

    nowhere: { path: join(folder, 'nowhere.so') },
    one: softHsm,
  };
  const found = await failures({ modules, members: [{ module: 'one', tokenLabel: 'alpha' }] });
  expect(found.map((line) => line.split(':')[0])).toEqual(['module cut', 'module nowhere']);
});
