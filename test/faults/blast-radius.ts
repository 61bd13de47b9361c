/**
 * How far one failure reaches: a PKCS#11 function answers a return value for one key, for all keys, for a key that is
 * being made or destroyed, or for one ciphertext; meanwhile callers use three keys.
 */
import { randomBytes } from 'node:crypto';
import { systemClock } from '../../src/clock-system.js';
import { loadAddon } from '../../src/hsm/native.js';
import type { EncryptedData, HsmCluster, MaterialReference } from '../../src/clusters/hsm-cluster.js';
import { Secret } from '../../src/secret.js';
import { codeOf, createHsmFixture, type HsmFixture, inTime, makeMaterial } from '../hsm/fixture.js';
import { hsmCodes } from './matrix.js';
import { until } from './replicated-server.js';

/** The target of the fault. */
export type Scope = 'one key of three' | 'all keys' | 'CreateKey' | 'a deletion' | 'one ciphertext';

export interface Cell {
  functionName: string;
  scope: Scope;
  rv: number;
}

/** The outcome of a cell. */
export interface Blast extends Cell {
  /** Answers for the affected key, and for CreateKey or the deletion. */
  ill: string[];
  /** Answers for the unaffected keys; empty if the fault meets all keys. */
  others: string[];
  suspended: boolean;
  /** Whether an alert blamed a key. */
  blamed: boolean;
  logins: number;
  recoveredMs: number;
}

const usedOnKeys = ['C_GetAttributeValue', 'C_EncryptInit', 'C_Encrypt', 'C_DecryptInit', 'C_Decrypt'];
const searches = ['C_FindObjectsInit', 'C_FindObjects', 'C_FindObjectsFinal'];
const keyless = ['C_GenerateRandom', 'C_OpenSession', 'C_CloseSession', 'C_GetSessionInfo', 'C_GetTokenInfo'];

/** The functions that an operation calls for each target. */
export const functionsOf: Record<Scope, readonly string[]> = {
  'one key of three': [...usedOnKeys, ...searches],
  'all keys': [...usedOnKeys, ...searches, ...keyless],
  CreateKey: ['C_GenerateKey', ...usedOnKeys, ...searches],
  'a deletion': ['C_DestroyObject', ...searches],
  'one ciphertext': ['C_Decrypt'],
};

/** Five codes of vendors, one of which resembles no other code. */
const vendorCodes = [0x8000_0001, 0x8000_0011, 0x8000_0383, 0xce53_4351, 0x7fff];

/** Every code of the header but CKR_OK, and those of vendors. */
export function everyReturnValue(): number[] {
  const named = loadAddon()
    .returnValues()
    .map(({ value }) => value);
  return [...named.filter((value) => value !== 0), ...vendorCodes];
}

/** The first code of each class that the table treats in the same way, and the codes that once took stores down. */
export function representativeReturnValues(): number[] {
  const classes = new Map<string, number>();
  for (const { name, value, ...meaning } of loadAddon().returnValues()) {
    const alike = JSON.stringify(meaning);
    if (name !== 'CKR_OK' && !classes.has(alike)) classes.set(alike, value);
  }
  const notorious = [0x5, 0x7, 0x30, 0x54, 0x63, 0x68, 0xb3, 0xc0, 0x101, 0x150, 0x8000_0011];
  return [...new Set([...classes.values(), ...notorious])];
}

const additionalData = Uint8Array.of(0xff, 0xff, 1);
const plaintext = 'a secret';

/** One member with three keys; its cipher is the fault module's, which makes a cell take milliseconds. */
export class BlastRig {
  /** Whether nothing keeps the login any more: a cell that is judged by its logins then needs a new rig. */
  lostSessions = false;

  private constructor(
    readonly fixture: HsmFixture,
    readonly cluster: HsmCluster,
    readonly keys: readonly { material: MaterialReference; encrypted: EncryptedData }[],
  ) {}

  static async open(): Promise<BlastRig> {
    const fixture = await createHsmFixture();
    fixture.fault.set('builtinCipher', 1);
    fixture.configure({ operationTimeoutMs: 5_000 });
    const cluster = await fixture.connected();
    const keys: { material: MaterialReference; encrypted: EncryptedData }[] = [];
    while (keys.length < 3) {
      const material = await makeMaterial(cluster);
      keys.push({ material, encrypted: await encrypt(cluster, material) });
    }
    return new BlastRig(fixture, cluster, keys);
  }

  async run(cell: Cell): Promise<Blast> {
    const { fault, events } = this.fixture;
    const madeId = randomBytes(32).toString('hex');
    const doomed = cell.scope === 'a deletion' ? await makeMaterial(this.cluster) : undefined;
    events.length = 0;
    const loginsBefore = fault.calls('C_Login');
    this.#begin(cell, doomed?.materialId ?? madeId);
    const ill = await this.#meetFault(cell, doomed?.materialId ?? madeId);
    const others = cell.scope === 'all keys' ? [] : await this.#useAll(this.#others(cell));
    const suspended = events.includes('suspended one');
    const blamed = events.some((event) => keyAlerts.has(event));
    const logins = fault.calls('C_Login') - loginsBefore;
    fault.heal();
    const healedMs = performance.now();
    await until('all keys work again', () => this.#works(), 20_000, 5);
    return { ...cell, ill, others, suspended, blamed, logins, recoveredMs: performance.now() - healedMs };
  }

  dispose(): Promise<void> {
    return this.fixture.dispose();
  }

  #others({ scope }: Cell): BlastRig['keys'] {
    return scope === 'one key of three' ? this.keys.slice(1) : this.keys;
  }

  /** Functions that are not called for a proved key are called after its handle, or all sessions, were lost. */
  #begin({ functionName, scope, rv }: Cell, otherId: string): void {
    const { fault } = this.fixture;
    const id = scope === 'one key of three' ? this.keys[0]?.material.materialId : otherId;
    const onlyKey = scope === 'all keys' ? '' : `key ${id} `;
    const lines = [`${functionName} ${onlyKey}rv ${rv}`];
    if (scope === 'one ciphertext') {
      // Its two attempts, without the canaries between them.
      lines.splice(0, 1, `C_Decrypt times 1 rv ${rv}`, `C_Decrypt after 1 times 1 rv ${rv}`);
    } else if (searches.includes(functionName) && scope !== 'CreateKey' && scope !== 'a deletion') {
      lines.push(`C_EncryptInit ${scope === 'all keys' ? 'times 3 ' : `times 1 ${onlyKey}`}stale-handle`);
    } else if (scope === 'all keys' && ![...usedOnKeys, 'C_GenerateRandom'].includes(functionName)) {
      this.#loseSessions();
    } else if (functionName === 'C_GetAttributeValue') {
      this.#loseSessions();
    }
    fault.obey(...lines);
  }

  #loseSessions(): void {
    this.lostSessions = true;
    this.fixture.fault.loseSessions();
  }

  async #meetFault({ scope }: Cell, otherId: string): Promise<string[]> {
    const { cluster } = this;
    if (scope === 'CreateKey') {
      const made = codeOf(cluster.perform('generateKeyMaterial', { materialId: otherId, label: 'made' }, inTime()));
      // While the key is made the others are used.
      return [await made, ...(await this.#useAll(this.keys)).filter((code) => code !== 'no error')];
    }
    if (scope === 'a deletion')
      return [await codeOf(cluster.perform('destroyKeyMaterial', { materialId: otherId }, inTime()))];
    const [first] = this.keys;
    if (first === undefined) throw new Error('There are keys.');
    if (scope === 'one ciphertext') return [await codeOf(this.decrypt(first))];
    const met = scope === 'all keys' ? this.keys : [first];
    return [...(await this.#useAll(met)), ...(await this.#useAll(met))];
  }

  async #useAll(keys: BlastRig['keys']): Promise<string[]> {
    const work = keys.flatMap((key) => [encrypt(this.cluster, key.material), this.decrypt(key)]);
    return Promise.all(work.map((each) => codeOf(each)));
  }

  async decrypt({ material, encrypted }: BlastRig['keys'][number]): Promise<void> {
    const opened = await this.cluster.perform('decrypt', { material, encrypted, additionalData }, inTime());
    if (Buffer.from(opened.reveal()).toString() !== plaintext) throw new Error('A wrong result.');
  }

  async #works(): Promise<boolean> {
    const codes = await this.#useAll(this.keys);
    const [status] = this.fixture.clusters().status();
    return codes.every((code) => code === 'no error') && status?.members[0]?.breaker === 'closed';
  }
}

function encrypt(cluster: HsmCluster, material: MaterialReference): Promise<EncryptedData> {
  const deadlineMs = systemClock.monotonicMs() + 20_000;
  return cluster.perform(
    'encrypt',
    { material, plaintext: Secret.fromUtf8(plaintext), additionalData },
    { deadlineMs },
  );
}

/** Alerts that an operator reads as damage to one key. */
const keyAlerts: ReadonlySet<string> = new Set([
  'canary-failed',
  'key-refused',
  'material-mismatch',
  'material-missing',
]);

/** The max number of logins in a few seconds with the shortest delays; with the defaults it would be one. */
const maxLogins = 3;

/** The problems of the outcome; empty if there are none. */
export function problemsOf(blast: Blast): string[] {
  const { functionName, scope, rv, ill, others, suspended, blamed, logins } = blast;
  const expected = scope === 'one ciphertext' ? ['INVALID_CIPHERTEXT'] : ['no error', ...hsmCodes];
  const alone = scope !== 'all keys';
  const wrong: [boolean, string][] = [
    [others.some((code) => code !== 'no error'), `other keys: ${others.join(', ')}`],
    [ill.some((code) => !expected.includes(code)), `it was answered ${ill.join(', ')}`],
    [alone && suspended, 'the member was suspended'],
    [!alone && blamed, 'a key was blamed'],
    [logins > (alone ? 0 : maxLogins), `${logins} times C_Login`],
  ];
  const name = `${functionName} answers 0x${rv.toString(16)} for ${scope}`;
  return wrong.filter(([is]) => is).map(([, what]) => `${name}: ${what}`);
}

/** One row for each function and scope. */
export function blastTable(blasts: readonly Blast[]): string[] {
  const rows = new Map<string, Blast[]>();
  for (const blast of blasts) {
    const name = `\`${blast.functionName}\` | ${blast.scope}`;
    rows.set(name, [...(rows.get(name) ?? []), blast]);
  }
  return [
    '| function | answers for | codes | the affected calls | other keys | suspended | most `C_Login` | back after, ms |',
    '| --- | --- | ---: | --- | --- | ---: | ---: | ---: |',
    ...[...rows].map(([name, cells]) => `| ${[name, ...columnsOf(cells)].join(' | ')} |`),
  ];
}

function columnsOf(cells: readonly Blast[]): (string | number)[] {
  const most = (of: (blast: Blast) => number): number => Math.round(Math.max(...cells.map(of)));
  return [
    cells.length,
    tally(cells.flatMap(({ ill }) => ill)),
    tally(cells.flatMap(({ others }) => others)),
    cells.filter(({ suspended }) => suspended).length,
    most(({ logins }) => logins),
    most(({ recoveredMs }) => recoveredMs),
  ];
}

function tally(codes: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const code of codes) counts.set(code, (counts.get(code) ?? 0) + 1);
  const told = [...counts].map(([code, count]) => `${code === 'no error' ? 'ok' : code} ${count}`);
  return told.length === 0 ? '–' : told.join(', ');
}
