/** One token belongs to one member of one cluster, and options that would be ignored are refused (invariant 14). */
import { copyFileSync, linkSync, mkdirSync, realpathSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../src/clock-system.js';
import { Presence } from '../../src/coordination/presence.js';
import { ConfiguredHsmClusters, type MemberOptions } from '../../src/hsm/clusters.js';
import { loadAddon, type NativeModuleOptions } from '../../src/hsm/native.js';
import type { ConnectOutcome } from '../../src/clusters/hsm-cluster.js';
import { Secret } from '../../src/secret.js';
import type { SqliteCatalog } from '../../src/storage/sqlite.js';
import { createSoftHsm, type SoftHsm } from '../softhsm.js';
import { openTestCatalog } from '../catalog-file.js';
import { clusterOptions, inTime, pin, RecordedSpending, recordingEvents, soon } from './fixture.js';

const first = 'cluster-aaaaaaaaaaa';
const second = 'cluster-bbbbbbbbbbb';

let hsm: SoftHsm;
let catalog: SqliteCatalog;
let clusters: ConfiguredHsmClusters;
let events: string[];
let serialNumber: string;

beforeEach(async () => {
  hsm = createSoftHsm({ tokens: [{ label: 'alpha', userPin: pin }] });
  mkdirSync(join(hsm.directory, 'locks'), { mode: 0o700 });
  catalog = await openTestCatalog({ path: join(hsm.directory, 'catalog.db'), clock: systemClock });
  const [token] = await loadAddon().listTokens(module(), soon());
  serialNumber = token?.serialNumber ?? '';
});

afterEach(async () => {
  for (const clusterId of [first, second]) await clusters.disconnect(clusterId, soon());
  await catalog.close();
  hsm.dispose();
});

function module(change: Partial<NativeModuleOptions> = {}): NativeModuleOptions {
  const { libraryPath, environment } = hsm;
  return { libraryPath, environment, privateInstance: true, initializationString: null, ...change };
}

function member(change: Partial<MemberOptions> = {}): MemberOptions {
  return { name: 'a', module: module(), tokenLabel: 'alpha', tokenSerialNumber: null, laneCount: 1, ...change };
}

function configure(members: Record<string, MemberOptions[]>, minimumMembers = 1): void {
  events = [];
  const tools = {
    addon: loadAddon(),
    loginAttempts: catalog,
    presence: new Presence(catalog, 'a process'),
    encryptionBudget: new RecordedSpending(),
    clock: systemClock,
    events: recordingEvents(events),
    lockDirectory: join(hsm.directory, 'locks'),
  };
  clusters = new ConfiguredHsmClusters(
    tools,
    Object.entries(members).map(([clusterId, of]) => ({ ...clusterOptions, clusterId, minimumMembers, members: of })),
  );
}

function connect(clusterId: string, tried = pin): Promise<ConnectOutcome> {
  return clusters.connect(clusterId, Secret.fromUtf8(tried), `${clusterId}:1`, soon());
}

/** Three names of one file, in the HSM's own folder because hard links need one file system. */
function namesOfLibrary(): { file: string; symbolic: string; hard: string } {
  const named = (name: string) => join(hsm.directory, name);
  copyFileSync(realpathSync(hsm.libraryPath), named('library.so'));
  symlinkSync(named('library.so'), named('symbolic.so'));
  linkSync(named('library.so'), named('hard.so'));
  return { file: named('library.so'), symbolic: named('symbolic.so'), hard: named('hard.so') };
}

function linkedConfiguration(): NativeModuleOptions {
  const link = join(hsm.directory, 'link.conf');
  symlinkSync(hsm.configPath, link);
  return module({ environment: { SOFTHSM2_CONF: link } });
}

const shared = { privateInstance: false };

/** How two members may come to one token. */
const ways: [way: string, pair: () => [MemberOptions, MemberOptions]][] = [
  ['by label and by label', () => [member(), member()]],
  ['by label and by serial number', () => [member(), member({ tokenLabel: null, tokenSerialNumber: serialNumber })]],
  ['through one shared instance', () => [member({ module: module(shared) }), member({ module: module(shared) })]],
  ['through a shared instance and a private one', () => [member({ module: module(shared) }), member()]],
  [
    'through a symbolic link to the library',
    () => {
      const { file, symbolic } = namesOfLibrary();
      return [member({ module: module({ libraryPath: file }) }), member({ module: module({ libraryPath: symbolic }) })];
    },
  ],
  [
    'through a hard link to the library, shared',
    () => {
      const { file, hard } = namesOfLibrary();
      const of = (libraryPath: string) => member({ module: module({ libraryPath, ...shared }) });
      return [of(file), of(hard)];
    },
  ],
  [
    'through two files of the library, shared',
    () => [
      member({ module: module(shared) }),
      member({ module: module({ libraryPath: namesOfLibrary().file, ...shared }) }),
    ],
  ],
  ['through a link to its configuration', () => [member(), member({ module: linkedConfiguration() })]],
];

describe.each(ways)('one token %s', (_way, pair) => {
  test("is the first cluster's; the second is refused by name, and tries no PIN", async () => {
    const [one, other] = pair();
    configure({ [first]: [one], [second]: [{ ...other, name: 'b' }] });
    const connected = await connect(first);
    expect(connected.connected).toBe(true);
    const refused = await connect(second, 'a wrong PIN');
    expect(refused).toMatchObject({ connected: false, errorCode: 'INTERNAL_ERROR', transient: false });
    expect(String(!refused.connected && refused.cause)).toContain(`is member a of cluster ${first} already`);
    expect(await catalog.listLoginAttempts()).toHaveLength(1);
    if (connected.connected)
      expect((await connected.cluster.perform('random', { lengthBytes: 8 }, inTime())).byteLength).toBe(8);
    await clusters.disconnect(first, soon());
    expect((await connect(second)).connected).toBe(true);
  });

  test('cannot be two members of one cluster', async () => {
    const [one, other] = pair();
    configure({ [first]: [one, { ...other, name: 'b' }] }, 2);
    const refused = await connect(first);
    expect(refused).toMatchObject({ connected: false, errorCode: 'INTERNAL_ERROR', transient: false });
    expect(events).toEqual(['opened a', 'not opened b']);
    expect(clusters.status()[0]?.members.map(({ statistics }) => statistics)).toEqual([undefined, undefined]);
  });
});

test('a shared library with another environment is refused by name, and its own token is not opened by mistake', async () => {
  const other = createSoftHsm({ tokens: [{ label: 'alpha', userPin: 'another PIN' }] });
  try {
    configure({
      [first]: [member({ module: module(shared) })],
      [second]: [member({ module: module({ ...shared, environment: other.environment }) })],
    });
    expect((await connect(first)).connected).toBe(true);
    for (const tried of ['another PIN', pin, 'a wrong PIN']) {
      const refused = await connect(second, tried);
      expect(refused).toMatchObject({ connected: false, errorCode: 'INTERNAL_ERROR', transient: false });
      expect(String(!refused.connected && refused.cause)).toContain(`${hsm.libraryPath} is in use in this process`);
    }
    expect(await catalog.listLoginAttempts()).toHaveLength(1);
  } finally {
    other.dispose();
  }
});

test('two tokens of two configurations are two members', async () => {
  const other = createSoftHsm({ tokens: [{ label: 'alpha', userPin: pin }] });
  try {
    const elsewhere = member({ name: 'b', module: module({ environment: other.environment }) });
    configure({ [first]: [member(), elsewhere] }, 2);
    expect((await connect(first)).connected).toBe(true);
    expect(events).toEqual(['opened a', 'opened b']);
    await clusters.disconnect(first, soon());
  } finally {
    other.dispose();
  }
});
