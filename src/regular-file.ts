import { constants, type Stats } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { type PathProblem, pathProblem } from './path-problem.js';

/** A file that cannot be read, and why. `reason` continues a sentence that begins with the path. */
export class UnreadableFileError extends Error {
  override readonly name = 'UnreadableFileError';
  readonly path: string;
  readonly reason: string;
  /** The system's code (`ENOENT`, `EACCES`, …); undefined if the file was opened and is not acceptable. */
  readonly code: string | undefined;
  /**
   * The remedy for the system's error; undefined if the caller knows a better one: the file is missing, or is not
   * acceptable.
   */
  readonly remedy: string | undefined;

  constructor(path: string, reason: string, { cause, problem }: { cause?: unknown; problem?: PathProblem } = {}) {
    super(`${path} ${reason}`, { cause });
    this.path = path;
    this.reason = reason;
    this.code = problem?.code;
    this.remedy = problem?.code === 'ENOENT' ? undefined : problem?.remedy;
  }
}

/** The maximum size of a file, and its other conditions. */
export interface RegularFileRules {
  maximumBytes: number;
  /** Why a file with this mode and owner is not acceptable; it is then not read. */
  refuse?: (found: Stats) => string | undefined;
}

/**
 * Reads a whole file into memory of its own, which the caller may zero. Waits for nothing but the disk: a named pipe or
 * a device, which `readFile` would wait for, is refused, and so is a file that is larger than expected.
 * @throws UnreadableFileError
 */
export async function readRegularFile(path: string, rules: RegularFileRules): Promise<Buffer> {
  try {
    // O_NONBLOCK: opening a named pipe without a writer would wait for one.
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const found = await file.stat();
    const refusal = kindRefusal(found) ?? rules.refuse?.(found) ?? sizeRefusal(found.size, rules.maximumBytes);
    if (refusal !== undefined) throw new UnreadableFileError(path, refusal);
    return await readAll(file, found.size);
  } catch (error) {
    if (error instanceof UnreadableFileError) throw error;
    const problem = pathProblem(error, 'read');
    throw new UnreadableFileError(path, problem.reason, { cause: error, problem });
  }
}

/** Reads a whole file as text. @throws UnreadableFileError, also if it is not UTF-8. */
export async function readRegularText(path: string, rules: RegularFileRules): Promise<string> {
  const bytes = await readRegularFile(path, rules);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new UnreadableFileError(path, 'is not text (UTF-8)', { cause: error });
  }
}

/** Why a path is not a regular file; undefined if it is one. */
export function kindRefusal(found: Stats): string | undefined {
  if (found.isFile()) return undefined;
  if (found.isDirectory()) return 'is not a file but a folder';
  if (found.isFIFO()) return 'is not a file but a named pipe';
  if (found.isSocket()) return 'is not a file but a socket';
  return 'is not a file but a device';
}

function sizeRefusal(size: number, maximumBytes: number): string | undefined {
  return size > maximumBytes ? `has more than ${maximumBytes} bytes` : undefined;
}

/** `size` bytes, or fewer if the file shrinks meanwhile. Bytes that are appended meanwhile are not read. */
async function readAll(file: FileHandle, size: number): Promise<Buffer> {
  const bytes = Buffer.alloc(size);
  let length = 0;
  while (length < size) {
    const { bytesRead } = await file.read(bytes, length, size - length, length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return bytes.subarray(0, length);
}
