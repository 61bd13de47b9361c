import { stat } from 'node:fs/promises';
import type { Clock } from '../clock.js';
import { type Presence, presenceTtlMs } from '../coordination/presence.js';
import type { Claimant } from '../keystores/catalog.js';

/**
 * A name for the lock files of a folder: processes with the same name exclude each other by these files. It stands for
 * the folder and this boot of the kernel, whatever the path: containers of one host may have different folders under
 * one path, and hosts that share a folder over the network do not share its locks.
 * @param processName names the process's domain on a system that cannot distinguish one boot from another
 */
export async function lockDomain(directory: string, clock: Clock, processName: string): Promise<string> {
  const { bootId } = clock.boot();
  const { dev, ino } = await stat(directory, { bigint: true });
  return `${bootId === '' ? processName : bootId}/${dev}/${ino}`;
}

/**
 * This process as the claimant of a login attempt, after it has shown that it is alive. It counts as alive until
 * `deadlineMs` (`Clock.monotonicMs`) and for some time after it, even if nothing else shows it.
 */
export async function presentClaimant(
  { presence, clock, lockDirectory }: { presence: Presence; clock: Clock; lockDirectory: string },
  deadlineMs: number,
): Promise<Claimant> {
  const { processName } = presence;
  await presence.beat(Math.max(0, deadlineMs - clock.monotonicMs()) + presenceTtlMs);
  return { processName, lockDomain: await lockDomain(lockDirectory, clock, processName) };
}
