/** Archives that an attacker made: their catalog reaches SQLite only after a proof, or with care. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { catalogIn, withCatalog } from '../backup/archives.js';
import { makeArchive } from '../backup/make-archive.js';
import { TokenReader } from '../token-reader.js';
import { eventually } from './deployment.js';
import { TwoClusters } from './two-clusters.js';

let two: TwoClusters;
let archive: string;

beforeEach(async () => {
  two = await TwoClusters.make();
  archive = await two.serving(async (client) => {
    await two.makeKeys(client, 1, 1);
    return two.backUp();
  });
});
afterEach(() => two.dispose());

/** The catalog of the archive, changed by someone else. */
function hostileCatalog(statement: string): Buffer {
  const path = join(two.wrapped.deployment.folder, 'hostile.sqlite');
  writeFileSync(path, catalogIn(readFileSync(archive)));
  const database = new Database(path);
  database.exec(statement);
  database.close();
  return readFileSync(path);
}

/** Writes an archive with this catalog, whose digest is right and whose MACs are not. */
function forged(catalog: Buffer, from = archive): string {
  const path = `${from}.forged`;
  writeFileSync(path, withCatalog(readFileSync(from), catalog));
  return path;
}

const evilTrigger = 'create trigger evil after insert on leases begin delete from keys; end';
const evilRefused = /The catalog in the archive is not as Holdfast makes one: it has the trigger \W+evil\W/;

it('what is no database at all is refused for its MAC: SQLite has not seen it', async () => {
  const path = forged(Buffer.alloc(8_192, 'no database'));
  two.loseCatalog();
  const { outcome } = await two.restore(path);
  expect([outcome.exitCode, outcome.stderr]).toEqual([5, expect.stringContaining('reason: not-authentic') as string]);
  expect(existsSync(two.catalogPath)).toBe(false);
});

it('a cluster whose PIN is in the archive alone: the catalog is opened with care, and a trigger refused', async () => {
  const path = forged(hostileCatalog(evilTrigger));
  two.loseCatalog();
  const { outcome } = await two.restore(path, '--without-cluster', 'default');
  expect(outcome.exitCode).toBe(4);
  expect(outcome.stderr).toMatch(evilRefused);
  // Without a trigger it is refused as well, for its MAC.
  const other = forged(hostileCatalog("update keys set description = 'changed'"));
  const later = await two.restore(other, '--without-cluster', 'default');
  expect(later.outcome.stderr).toContain('reason: not-authentic');
  expect(existsSync(two.catalogPath)).toBe(false);
  const real = await two.restore(archive, '--without-cluster', 'default');
  expect(real.outcome.exitCode, real.outcome.stderr).toBe(0);
});

it('an archive without a MAC: an operator who takes it does not take a trigger with it', async () => {
  const { configurationPath, folder, defaultCluster } = two.wrapped.deployment;
  const catalogOnly = await makeArchive(configurationPath, folder, defaultCluster.pin, false);
  const path = forged(hostileCatalog(evilTrigger), catalogOnly);
  two.loseCatalog();
  const { outcome } = await two.restore(path, '--unauthenticated');
  expect([outcome.exitCode, outcome.stderr]).toEqual([4, expect.stringMatching(evilRefused) as string]);
  expect(existsSync(two.catalogPath)).toBe(false);
  expect((await two.restore(catalogOnly, '--unauthenticated')).outcome.exitCode).toBe(0);
});

it('a PIN that was refused before the backup is not tried again to prove the archive', async () => {
  const { configurationPath, folder, defaultCluster } = two.wrapped.deployment;
  const [{ hsm, fault }, logins] = [two.wrapped.member(0), () => two.wrapped.member(0).fault.calls('C_Login')];
  writeFileSync(join(folder, 'default.pin'), 'wrong-1234567', { mode: 0o600 });
  const server = await two.wrapped.deployment.start();
  await eventually(() => (fault.calls('C_Login') > 0 ? Promise.resolve() : Promise.reject(new Error('no login yet'))));
  await server.stop();
  const later = await makeArchive(configurationPath, folder, defaultCluster.pin);
  // Now the catalog in the archive alone knows the refusal; the token says that there was one.
  const stranger = new TokenReader(hsm, defaultCluster.tokenLabel, 'another-wrong-one');
  expect(() => stranger.list()).toThrow();
  two.loseCatalog();
  const before = logins();
  const { outcome } = await two.restore(later);
  expect([outcome.exitCode, logins() - before]).toEqual([5, 0]);
  expect(outcome.stderr).toContain('refused this PIN before');
});
