/** What stands in the memory of another process: where a secret is that should be nowhere. */
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';

/** A place in memory where a pattern was found. */
export interface MemoryPlace {
  address: bigint;
  /** As `/proc/<pid>/maps` names the mapping: `[heap]`, a file, or nothing. */
  mapping: string;
  /** The bytes around it, for whoever has to find out who put them there. */
  around: Buffer;
}

const chunkBytes = 8 * 2 ** 20;
const aroundBytes = 64;

/** Everywhere that the pattern stands in the writable memory of the process. Needs the rights of ptrace(2). */
export function findInMemory(pid: number, pattern: Uint8Array): MemoryPlace[] {
  const memory = openSync(`/proc/${pid}/mem`, 'r');
  try {
    return writableMappings(pid).flatMap((mapping) => findInMapping(memory, mapping, pattern));
  } finally {
    closeSync(memory);
  }
}

interface Mapping {
  start: bigint;
  end: bigint;
  name: string;
}

function writableMappings(pid: number): Mapping[] {
  const lines = readFileSync(`/proc/${pid}/maps`, 'utf8').trim().split('\n');
  return lines.flatMap((line) => {
    const [range = '', permissions = '', , , , name = ''] = line.split(/\s+/);
    const [start = '0', end = '0'] = range.split('-');
    // Of the kernel, and not to be read.
    if (!permissions.startsWith('rw') || name === '[vvar]') return [];
    return [{ start: BigInt(`0x${start}`), end: BigInt(`0x${end}`), name }];
  });
}

function findInMapping(memory: number, { start, end, name }: Mapping, pattern: Uint8Array): MemoryPlace[] {
  const places: MemoryPlace[] = [];
  const buffer = Buffer.alloc(chunkBytes + pattern.byteLength - 1);
  for (let address = start; address < end; address += BigInt(chunkBytes)) {
    const length = Math.min(buffer.length, Number(end - address));
    const read = readMemory(memory, buffer, length, address);
    const chunk = buffer.subarray(0, read);
    for (let at = chunk.indexOf(pattern); at !== -1; at = chunk.indexOf(pattern, at + 1)) {
      const around = Buffer.from(chunk.subarray(Math.max(0, at - aroundBytes), at + pattern.length + aroundBytes));
      places.push({ address: address + BigInt(at), mapping: name, around });
    }
  }
  return places;
}

/** Pages that were given back since the mappings were listed read as nothing. */
function readMemory(memory: number, buffer: Buffer, length: number, address: bigint): number {
  try {
    return readSync(memory, buffer, 0, length, address);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EIO') return 0;
    throw error;
  }
}
