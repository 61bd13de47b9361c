import { readdir, readFile } from 'node:fs/promises';

/**
 * The number of file descriptors that the process has open, and may have (RLIMIT_NOFILE, the soft limit, which Node
 * raises to the hard one).
 */
export interface FileDescriptors {
  open: number;
  maximum: number;
}

/** The present numbers. proc(5): only Linux has them, and Holdfast runs only on Linux. */
export async function readFileDescriptors(): Promise<FileDescriptors> {
  const [open, maximum] = await Promise.all([readdir('/proc/self/fd'), readFileDescriptorLimit()]);
  return { open: open.length, maximum };
}

/** RLIMIT_NOFILE; 2^31-1 if it is unlimited. */
export async function readFileDescriptorLimit(): Promise<number> {
  const limits = await readFile('/proc/self/limits', 'utf8');
  const [, limit] = /^Max open files +(\d+|unlimited)/m.exec(limits) ?? [];
  const unlimited = 2 ** 31 - 1;
  return limit === undefined || limit === 'unlimited' ? unlimited : Math.min(Number(limit), unlimited);
}

/** Reserved for tokens and their modules, catalog, audit log, metrics, and the files of a reload. */
const reservedFileDescriptors = 256;

/**
 * The first descriptor that no connection may have. It is half of the limit if the limit is so low that the reserve
 * would take most of it.
 */
export async function firstReservedFileDescriptor(): Promise<number> {
  const limit = await readFileDescriptorLimit();
  return Math.max(limit - reservedFileDescriptors, Math.floor(limit / 2));
}
