/** Searches the memory of another process for secrets that should be nowhere. */
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';

/** A place in memory where a pattern was found. */
export interface MemoryPlace {
  address: bigint;
  /** The mapping's name in `/proc/<pid>/maps`: `[heap]`, a file, or nothing. */
  mapping: string;
  /** The bytes around it, which help to find out what put them there. */
  around: Buffer;
}

const chunkBytes = 8 * 2 ** 20;
const aroundBytes = 64;

/** Every occurrence of the pattern in the writable memory of the process. Needs the rights of ptrace(2). */
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
    // Mappings of the kernel cannot be read.
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

/** Pages that were returned since the mappings were listed read as empty. */
function readMemory(memory: number, buffer: Buffer, length: number, address: bigint): number {
  try {
    return readSync(memory, buffer, 0, length, address);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EIO') return 0;
    throw error;
  }
}
