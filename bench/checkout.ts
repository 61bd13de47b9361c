import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UsageError } from './arguments.js';
import { exitOnSignals } from './processes.js';
import { runProgram } from './program.js';

/** What a server is built from. The bench itself, the tests and their modules always come from the working copy. */
const built = ['src', 'native', 'proto', 'scripts', 'package.json', 'package-lock.json', 'tsconfig.json'];

/** A commit that is built in a folder of its own, until `remove`. */
export interface Checkout {
  commit: string;
  /** The compiled command. */
  program: string;
  remove(): void;
}

/**
 * The full name of a commit.
 * @throws UsageError if the repository does not have it
 */
export function resolveCommit(root: string, name: string): string {
  try {
    return git(root, 'rev-parse', '--verify', '--quiet', `${name}^{commit}`);
  } catch {
    throw new UsageError(`There is no commit ${name} in this repository.`);
  }
}

/**
 * Commits are compared, so a change that is not committed would be left out in silence.
 * @throws UsageError that names such changes
 */
export function requireCommitted(root: string): void {
  const changes = git(root, 'status', '--porcelain', '--', ...built);
  if (changes === '') return;
  throw new UsageError(
    `The working copy has changes that are in neither commit, so they would not be measured:\n${changes}\n` +
      'Commit or stash them.',
  );
}

/**
 * Builds a commit in a temporary folder. Takes minutes if the compiler has no cache. However this process ends, the
 * folder is removed.
 * @throws ProgramFailure if it does not build
 */
export async function checkOut(root: string, commit: string, progress: (line: string) => void): Promise<Checkout> {
  const parent = mkdtempSync(join(tmpdir(), 'holdfast-compare-'));
  const folder = join(parent, commit.slice(0, 12));
  const remove = () => {
    process.off('exit', remove);
    // Builds that were just killed may still write: try again.
    rmSync(parent, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
    git(root, 'worktree', 'prune');
  };
  process.once('exit', remove);
  exitOnSignals();
  try {
    git(root, 'worktree', 'add', '--quiet', '--detach', folder, commit);
    await build(root, folder, progress);
    return { commit, program: join(folder, 'dist/cli/main.js'), remove };
  } catch (error) {
    remove();
    throw error;
  }
}

async function build(root: string, folder: string, progress: (line: string) => void): Promise<void> {
  const lockOf = (of: string) => readFileSync(join(of, 'package-lock.json'));
  if (lockOf(root).equals(lockOf(folder))) {
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  } else {
    progress(`npm ci in ${folder}: its package-lock.json is another`);
    await npm(folder, 'ci', '--no-audit', '--no-fund');
  }
  for (const script of ['generate', 'build:native', 'build:ts']) {
    progress(`npm run ${script} in ${folder}`);
    await npm(folder, 'run', '--silent', script);
  }
}

/** Runs a build in a process group of its own: all of it ends when the bench does. */
async function npm(folder: string, ...parameters: string[]): Promise<void> {
  await runProgram({ program: 'npm', parameters, folder, ownGroup: true });
}

function git(folder: string, ...parameters: string[]): string {
  return execFileSync('git', parameters, { cwd: folder, encoding: 'utf8', stdio: 'pipe' }).trim();
}
