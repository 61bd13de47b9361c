import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

/**
 * The commands that make, back up and restore a catalog × the faults of a disk. Each ends with an error that names the
 * remedy, leaves nothing half-made and existing files unchanged, and succeeds once the disk is well.
 */

interface Ending {
  exitCode: number;
  stderr: string;
}
interface Outcome {
  act: string;
  kind: string;
  first: Ending;
  unchanged: boolean;
  after: string[][];
  again: Ending;
  problem: string | null;
}

const ownNamespace = process.geteuid?.() === 0 ? ['-m'] : ['-rm'];
const folder = mkdtempSync(join(tmpdir(), 'holdfast-disks-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A container may forbid mounts: then only the limit on a file's size can be tested. */
const canMount =
  spawnSync('unshare', [...ownNamespace, 'mount', '-t', 'tmpfs', '-o', 'size=4k', 'none', folder]).status === 0;

const acts = ['init', 'backup', 'restore', 'backup from the disk', 'init, unaudited'];
/** The expected part of the message for each fault. */
const remedies: Record<string, RegExp> = {
  limited: /ulimit -f/,
  'nearly full': /make room/i,
  'read-only': /mount(ed|) .*writing/i,
  'completely full': /make room/i,
  'without inodes': /make room|df -i/i,
};
/** The faults that are tested: by default those that differ most; the others differ only in the system's code. */
const isFull = process.env['HOLDFAST_FAULTS'] === 'full';
const short = (act: string, kind: string): boolean =>
  act === 'init, unaudited'
    ? kind === 'completely full' || kind === 'read-only'
    : Object.keys(remedies).indexOf(kind) < 3;
const cases = Object.keys(remedies)
  .flatMap((kind) => acts.map((act) => [act, kind] as const))
  // A few pages suffice for a record, and a limit of the process stops the catalog first.
  .filter(([act, kind]) => act !== 'init, unaudited' || (kind !== 'nearly full' && kind !== 'limited'))
  .filter(([act, kind]) => isFull || short(act, kind));
const withoutMounts = cases.filter(([, kind]) => kind === 'limited');

const hooks = fileURLToPath(new URL('typescript-hooks.mjs', import.meta.url));
const script = fileURLToPath(new URL('catalog-on-spoiled-disk.ts', import.meta.url));
let outcomes: Outcome[];

beforeAll(() => {
  const command = ['node', '--import', hooks, script, folder, JSON.stringify(canMount ? cases : withoutMounts)];
  const [program = '', ...words] = canMount ? ['unshare', ...ownNamespace, ...command] : command;
  outcomes = JSON.parse(execFileSync(program, words, { encoding: 'utf8' })) as Outcome[];
});

describe.each(cases)('%s, on a disk that is %s', (act, kind) => {
  test.skipIf(!canMount && kind !== 'limited')('names the remedy, changes nothing, and succeeds later', () => {
    const outcome = outcomes.find((one) => one.act === act && one.kind === kind);
    expect(outcome?.first).toEqual({ exitCode: 4, stderr: expect.stringMatching(remedies[kind] ?? /never/) as string });
    expect(outcome?.first.stderr).toMatch(act === 'init, unaudited' ? /^error: AUDIT: / : /^error: CATALOG: /);
    expect([outcome?.unchanged, outcome?.after.flat().filter((name) => name.includes('partial'))]).toEqual([true, []]);
    expect(outcome?.again).toEqual({ exitCode: 0, stderr: '' });
    expect(outcome?.problem).toBeNull();
  });
});
