/** Every field, boundary and record of an archive, changed, through the commands: each is refused, and nothing is written. */
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { firstLine, headerBytes, type RecordKind } from '../../src/backup/format.js';
import { macBytes } from '../../src/backup/records.js';
import { joined, type Piece, piecesOf, resealed } from '../backup/archives.js';
import { holdfast } from '../cli/session.js';
import { runCeremony } from '../wrapped-cluster.js';
import type { Message } from './client.js';
import type { RunningServer } from './deployment.js';
import { TwoClusters } from './two-clusters.js';

const boundMs = 600_000;
/** `npm test` takes every third case, `npm run test:recovery` all of them; src/backup/archive.test.ts has them at the reader. */
const caseStep = process.env['HOLDFAST_RECOVERY_KEYS'] === undefined ? 3 : 1;

let two: TwoClusters;
let server: RunningServer;
/** Archives of both clusters at two moments, and one that has an absence and a cluster without its keys. */
let [first, second, partial] = ['', '', ''];
/** An archive of the next generation, and one of another site. */
let [newer, foreign] = ['', ''];
let before: unknown;

const at = (name: string): string => join(two.wrapped.deployment.folder, name);

beforeAll(async () => {
  two = await TwoClusters.make();
  [first, second] = await two.serving(async (client) => {
    await two.makeKeys(client, 3, 2);
    const made = await two.backUp();
    await two.makeKeys(client, 1, 0);
    return [made, await two.backUp()];
  });
  for (const { fault } of two.members) fault.remove('device-error');
  two.wrapped.destroyEverywhere(two.wrapped.onTokens()[0]?.[0] ?? '');
  const { deployment, members } = two.wrapped;
  const alone = await deployment.start();
  await alone.defaultKeyStoreConnected();
  partial = await two.backUp();
  await alone.stop();
  for (const { fault } of two.members) fault.heal();
  await runCeremony(members, 2, deployment.defaultCluster);
  newer = await two.serving(() => two.backUp());
  foreign = at('foreign.backup');
  const other = await TwoClusters.make();
  await other.serving(async (client) => {
    await other.makeKeys(client, 1, 1);
    copyFileSync(await other.backUp(), foreign);
  });
  other.dispose();
  prepareRestore();
  server = await deployment.start();
  await server.defaultKeyStoreConnected();
  before = written();
}, boundMs);

afterAll(async () => {
  await server.stop();
  two.dispose();
});

/** A configuration beside that of the server, at whose place there is no catalog. */
function prepareRestore(): void {
  mkdirSync(at('restored'), { mode: 0o700 });
  const file = parse(readFileSync(two.wrapped.deployment.configurationPath, 'utf8')) as Message;
  file['catalog'] = { kind: 'sqlite', path: at('restored/catalog.sqlite') };
  file['audit'] = { file: at('restored.log') };
  writeFileSync(at('restored.yaml'), stringify(file, { aliasDuplicateObjects: false }));
}

/** Whatever a restore or a verification could have changed. */
function written(): unknown {
  const database = new Database(two.catalogPath, { readonly: true });
  try {
    const tables = ['keys', 'materials', 'aliases', 'intents', 'custom_key_stores', 'encryption_reservations'];
    const rows = tables.map((table) => database.prepare(`select * from ${table} order by 1, 2`).all());
    const restored = readdirSync(at('restored')).filter((name) => name === 'catalog.sqlite');
    return { rows, restored, tokens: [two.wrapped.onTokens(), two.onSecond()] };
  } finally {
    database.close();
  }
}

interface Case {
  name: string;
  bytes: Buffer;
}

type Way = 'restore' | 'dry run' | 'verify';

/** What the command says of these bytes: the reason of the refusal, or that there was none. */
async function said({ bytes }: Case, way: Way): Promise<string> {
  if (way === 'verify') return saidByVerify(bytes);
  const path = at('changed.backup');
  writeFileSync(path, bytes);
  const words = way === 'dry run' ? ['--dry-run'] : [];
  const { exitCode, stderr } = await holdfast(['backup', 'restore', path, ...words, '--config', at('restored.yaml')]);
  const reason = /reason: ([a-z-]+)/.exec(stderr)?.[1];
  return exitCode === 5 && stderr.includes('ARCHIVE_REFUSED') && reason !== undefined
    ? 'refused'
    : `${exitCode} ${stderr}`;
}

/** The server's own archive has these bytes. */
async function saidByVerify(bytes: Buffer): Promise<string> {
  const original = readFileSync(partial);
  writeFileSync(partial, bytes);
  try {
    const line = ['backup', 'verify', idOf(original), '--server', `unix:${two.wrapped.deployment.socketPath}`];
    const { exitCode, stderr } = await holdfast(line);
    return exitCode === 5 && stderr.includes('BACKUP_REFUSED') ? 'refused' : `${exitCode} ${stderr}`;
  } finally {
    writeFileSync(partial, original);
  }
}

function idOf(archive: Buffer): string {
  return (JSON.parse(String(piecesOf(archive)[0]?.payload)) as { archive_id: string }).archive_id;
}

async function expectRefused(cases: readonly Case[], ways: readonly Way[]): Promise<void> {
  const accepted: string[] = [];
  const taken = cases.filter((_, index) => index % caseStep === 0);
  for (const [index, each] of taken.entries())
    for (const way of ways) {
      // The reader is the same in each: the restore, which could do the most, takes every case, and the others a part of them.
      if (way !== ways[0] && index % 4 !== 0) continue;
      const answer = await said(each, way);
      if (answer !== 'refused') accepted.push(`${way} ${each.name}: ${answer}`);
    }
  expect(accepted).toEqual([]);
  expect(written()).toEqual(before);
}

/** The places of the values in a record, by name; how many values its JSON has. */
function fieldsOf({ kind, payload }: Piece): { name: string; offset: number }[] {
  if (kind === 'catalog')
    return ['header', 'middle', 'end'].map((name, third) => ({
      ...{ name: `catalog ${name}`, offset: Math.min(payload.length - 1, Math.floor((payload.length * third) / 2)) },
    }));
  const start = kind === 'material' ? macBytes : 0;
  const text = payload.toString('latin1', start);
  const values = /"([a-z_]+)":(?:\[?"|)(?=[^{["\]])|(?<=[[,])"(?=[^"]*"[,\]])/g;
  const found = [...text.matchAll(values)].map((match) => ({
    name: `${kind} ${match[1] ?? 'element'}`,
    offset: start + match.index + match[0].length,
  }));
  return kind === 'material' ? [{ name: 'material MAC', offset: 0 }, ...found] : found;
}

/** One record of each kind of the archive, and where it begins. */
function oneOfEach(archive: Buffer): { piece: Piece; index: number; start: number }[] {
  const kinds = new Set<RecordKind>();
  let start = firstLine.length;
  return piecesOf(archive).flatMap((piece, index) => {
    const found = { piece, index, start };
    start += headerBytes + piece.payload.length;
    if (kinds.has(piece.kind)) return [];
    kinds.add(piece.kind);
    return [found];
  });
}

function flipped(bytes: Buffer, offset: number): Buffer {
  const changed = Buffer.from(bytes);
  changed[offset] = (changed[offset] ?? 0) ^ 1;
  return changed;
}

it(
  'the archives are taken as they are',
  async () => {
    const kinds = oneOfEach(readFileSync(partial)).map(({ piece }) => piece.kind);
    expect(kinds.sort()).toEqual(['absence', 'catalog', 'manifest', 'material', 'seal', 'totals']);
    expect(await said({ name: 'whole', bytes: readFileSync(partial) }, 'verify')).toMatch(/^0 /);
    expect(await said({ name: 'whole', bytes: readFileSync(partial) }, 'dry run')).toMatch(/^0 /);
    expect(await said({ name: 'whole', bytes: readFileSync(newer) }, 'dry run')).toMatch(/^0 /);
  },
  boundMs,
);

it(
  'one bit of each field',
  async () => {
    const archive = readFileSync(partial);
    const line = Array.from(firstLine, (_, offset) => ({ name: `first line, byte ${offset}`, offset }));
    const records = oneOfEach(archive).flatMap(({ piece, start }) => [
      ...['kind', 'length 1', 'length 2', 'length 3', 'length 4'].map((part, offset) => ({
        ...{ name: `${piece.kind} ${part}`, offset: start + offset },
      })),
      ...fieldsOf(piece).map(({ name, offset }) => ({ name, offset: start + headerBytes + offset })),
    ]);
    const leaves = (value: unknown): number =>
      typeof value !== 'object' || value === null
        ? 1
        : Object.values(value).reduce<number>((sum, each) => sum + leaves(each), 0);
    for (const { piece } of oneOfEach(archive)) {
      if (piece.kind === 'catalog') continue;
      const mac = piece.kind === 'material' ? macBytes : 0;
      const values = leaves(JSON.parse(piece.payload.toString('utf8', mac)));
      expect(fieldsOf(piece), piece.kind).toHaveLength(values + (mac > 0 ? 1 : 0));
    }
    const cases = [...line, ...records].map(({ name, offset }) => ({ name, bytes: flipped(archive, offset) }));
    await expectRefused(cases, ['restore', 'dry run', 'verify']);
  },
  boundMs,
);

it(
  'one bit of each field, where the forger has made the digest anew',
  async () => {
    const archive = readFileSync(partial);
    const pieces = piecesOf(archive);
    const forge = (index: number, offset: number): Buffer =>
      resealed(
        pieces.map((piece, at) => (at === index ? { ...piece, payload: flipped(piece.payload, offset) } : piece)),
      );
    const all = oneOfEach(archive)
      .filter(({ piece }) => piece.kind !== 'seal')
      .map(({ piece, index }) => fieldsOf(piece).map(({ name, offset }) => ({ name, bytes: forge(index, offset) })));
    await expectRefused(all.flat(), ['verify']);
    await expectRefused(
      all.flatMap((cases) => cases.slice(-1)),
      ['restore', 'dry run'],
    );
  },
  boundMs,
);

it(
  'cut off at each boundary',
  async () => {
    const archive = readFileSync(partial);
    const ends = new Set([0, 1, firstLine.length - 1, firstLine.length, archive.length - 1]);
    for (const { piece, start } of oneOfEach(archive))
      for (const end of [
        0,
        1,
        headerBytes,
        headerBytes + 1,
        headerBytes + (piece.payload.length >> 1),
        headerBytes + piece.payload.length,
      ])
        ends.add(start + end);
    ends.delete(archive.length);
    const cases = [...ends].map((end) => ({ name: `cut at ${end}`, bytes: archive.subarray(0, end) }));
    const longer = { name: 'longer', bytes: Buffer.concat([archive, Buffer.from('a')]) };
    await expectRefused([...cases, longer], ['restore', 'dry run', 'verify']);
  },
  boundMs,
);

it(
  'records of two backups, in every combination of one kind, and moved, doubled or left out',
  async () => {
    const [one, other] = [first, second].map((path) => piecesOf(readFileSync(path)));
    if (one === undefined || other === undefined) throw new Error('There are two archives.');
    const cases: { name: string; pieces: Piece[] }[] = [];
    for (const kind of ['manifest', 'catalog', 'material', 'totals', 'seal'] as const) {
      const theirs = other.filter((piece) => piece.kind === kind);
      const rest = one.flatMap((piece, index) => {
        if (piece.kind !== kind) return [piece];
        return index > 0 && one[index - 1]?.kind === kind ? [] : theirs;
      });
      cases.push({ name: `the other's ${kind}`, pieces: rest });
    }
    one.forEach((piece, index) => {
      const without = one.filter((_, at) => at !== index);
      cases.push({ name: `without record ${index}, ${piece.kind}`, pieces: without });
      cases.push({ name: `record ${index} twice`, pieces: [...one.slice(0, index + 1), ...one.slice(index)] });
      if (index > 0 && one[index - 1]?.kind === 'material' && piece.kind === 'material')
        cases.push({
          name: `record ${index} moved`,
          pieces: [...one.slice(0, index - 1), piece, ...one.slice(index - 1, index), ...one.slice(index + 1)],
        });
    });
    const own = readFileSync(first);
    const raw = cases.map(({ name, pieces }) => ({ name, bytes: joined(pieces) }));
    const forged = cases
      .filter(({ pieces }) => pieces.at(-1)?.kind === 'seal')
      .map(({ name, pieces }) => ({ name: `${name}, digest anew`, bytes: resealed(pieces) }));
    await expectRefused(
      raw.filter(({ bytes }) => !bytes.equals(own)),
      ['restore', 'dry run', 'verify'],
    );
    await expectRefused(
      forged.filter(({ bytes }) => !bytes.equals(own)),
      ['verify'],
    );
    await expectRefused(forged.filter(({ bytes }) => !bytes.equals(own)).slice(0, 8), ['restore']);
  },
  boundMs,
);

it(
  'records of another generation, and an archive of another site',
  async () => {
    const [old, next] = [first, newer].map((path) => piecesOf(readFileSync(path)));
    if (old === undefined || next === undefined) throw new Error('There are two archives.');
    const materials = (pieces: Piece[]): Piece[] => pieces.filter(({ kind }) => kind === 'material');
    const mixed = next.flatMap((piece, index) => {
      if (piece.kind !== 'material') return [piece];
      return next[index - 1]?.kind === 'material' ? [] : materials(old);
    });
    const manifests = [...old.slice(0, 1), ...next.slice(1)];
    const generations = [mixed, manifests].flatMap((pieces, at) => [
      { name: `generations ${at}`, bytes: joined(pieces) },
      { name: `generations ${at}, digest anew`, bytes: resealed(pieces) },
    ]);
    await expectRefused(generations, ['restore', 'dry run', 'verify']);
    // It is whole, and of clusters that are not here.
    await expectRefused([{ name: 'another site', bytes: readFileSync(foreign) }], ['restore', 'dry run', 'verify']);
  },
  boundMs,
);
