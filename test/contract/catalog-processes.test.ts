import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Sqlite from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/clock-system.js';
import { openTestCatalog } from '../catalog-file.js';
import { scope } from './catalog-records.js';

const hooks = fileURLToPath(new URL('typescript-hooks.mjs', import.meta.url));
const writerSource = fileURLToPath(new URL('catalog-writer.ts', import.meta.url));

/** A writer process and its reports so far. */
class Writer {
  readonly process: ChildProcess;
  readonly ended: Promise<unknown[]>;
  readonly acknowledgedKeys: string[] = [];
  incarnationId: string | undefined;

  constructor(path: string, limit: number) {
    this.process = fork(writerSource, [path, String(limit)], { execArgv: ['--import', hooks] });
    this.ended = once(this.process, 'exit');
    this.process.on('message', (message: { opened?: string; keyId?: string }) => {
      this.incarnationId ??= message.opened;
      if (message.keyId !== undefined) this.acknowledgedKeys.push(message.keyId);
    });
  }

  /** @throws if it ends before that: then nothing more comes */
  async acknowledged(count: number): Promise<void> {
    const tooEarly = this.ended.then(([code, signal]) => {
      throw new Error(`A writer ended (${String(code ?? signal)}) with ${this.acknowledgedKeys.length} keys.`);
    });
    while (this.acknowledgedKeys.length < count) await Promise.race([once(this.process, 'message'), tooEarly]);
  }
}

/** Each process compiles its sources first, which takes a busy machine most of this time. */
const timeout = 240_000;

describe('several processes on one catalog', { timeout }, () => {
  let folder: string;
  let path: string;
  let writers: Writer[];

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'holdfast-catalog-'));
    path = join(folder, 'catalog.db');
    writers = [];
  });
  afterEach(async () => {
    for (const writer of writers) writer.process.kill('SIGKILL');
    await Promise.all(writers.map((writer) => writer.ended));
    rmSync(folder, { recursive: true });
  });

  function start(count: number, limit: number): void {
    writers.push(...Array.from({ length: count }, () => new Writer(path, limit)));
  }

  it('create it together and write to it together', async () => {
    start(4, 25);
    const exits = await Promise.all(writers.map((writer) => writer.ended));
    expect(exits).toEqual(Array.from({ length: 4 }, () => [0, null]));
    expect(new Set(writers.map((writer) => writer.incarnationId)).size).toBe(1);
    expect(await storedKeys()).toEqual(writers.flatMap((writer) => writer.acknowledgedKeys).sort());
  });

  it('lose no acknowledged write when they are killed while writing', async () => {
    for (let round = 0; round < 3; round++) {
      start(2, Number.POSITIVE_INFINITY);
      const running = writers.slice(-2);
      // The count differs from round to round: the kill hits another moment of the write.
      await Promise.all(running.map((writer) => writer.acknowledged(5 + 7 * round)));
      for (const writer of running) writer.process.kill('SIGKILL');
      await Promise.all(running.map((writer) => writer.ended));
      await checkIntegrity();
    }
    const modes = [path, `${path}-wal`, `${path}-shm`].map((file) => statSync(file, { throwIfNoEntry: false })?.mode);
    for (const mode of modes) expect((mode ?? 0o600) & 0o777).toBe(0o600);
  });

  async function checkIntegrity(): Promise<void> {
    const stored = new Set(await storedKeys());
    const acknowledged = writers.flatMap((writer) => writer.acknowledgedKeys);
    expect(acknowledged.filter((keyId) => !stored.has(keyId))).toEqual([]);
    const connection = new Sqlite(path, { readonly: true });
    try {
      expect(connection.pragma('integrity_check', { simple: true })).toBe('ok');
      expect(connection.pragma('foreign_key_check')).toEqual([]);
      const count = (sql: string): unknown => connection.prepare(sql).pluck().get();
      expect(count('select count(*) from materials')).toBe(stored.size);
      const both = 'select count(*) from intents join materials using (material_id)';
      expect(count(both)).toBe(0);
    } finally {
      connection.close();
    }
  }

  async function storedKeys(): Promise<string[]> {
    const catalog = await openTestCatalog({ path, clock: systemClock });
    const keys = await catalog.listKeys(scope, undefined, 100_000);
    await catalog.close();
    return keys.map((key) => key.keyId);
  }
});
