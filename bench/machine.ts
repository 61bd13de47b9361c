import { execFileSync } from 'node:child_process';
import { cpus, release, totalmem } from 'node:os';
import type { Machine } from './report.js';

/** The kind of this machine, without anything that identifies it. */
export function thisMachine(): Machine {
  const all = cpus();
  return {
    cpu: all[0]?.model.trim() ?? 'unknown',
    cores: all.length,
    memoryGib: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    node: process.version,
  };
}

/** `amd-epyc-2-cores`, for a file name. */
export function machineName({ cpu, cores }: Pick<Machine, 'cpu' | 'cores'>): string {
  const name = cpu
    .replaceAll(/\((R|TM)\)|@.*$/gi, '')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '');
  return `${name}-${cores}-cores`;
}

/** The commit that is measured, or null if git cannot name it. */
export function measuredCommit(folder: string): string | null {
  try {
    const options = { cwd: folder, encoding: 'utf8', stdio: 'pipe' } as const;
    const commit = execFileSync('git', ['rev-parse', '--short=12', 'HEAD'], options).trim();
    const changes = execFileSync('git', ['status', '--porcelain', '--untracked-files=no'], options);
    return changes === '' ? commit : `${commit}-dirty`;
  } catch {
    return null;
  }
}
