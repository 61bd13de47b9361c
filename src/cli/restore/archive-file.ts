import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { readManifest, readArchive } from '../../backup/archive-reader.js';
import type { Manifest } from '../../backup/manifest.js';
import { ArchiveRefusal } from '../../backup/refusal.js';
import { HoldfastError } from '../../errors.js';
import { pathProblem } from '../../path-problem.js';
import { CliError, exitCodes, localError } from '../exit-codes.js';

const chunkBytes = 256 * 1024;

/** An archive in a file, which is read several times and must be the same each time. */
export class ArchiveFile {
  readonly path: string;
  readonly manifest: Manifest;
  #digest: string | undefined;

  private constructor(path: string, manifest: Manifest) {
    this.path = path;
    this.manifest = manifest;
  }

  /** Reads the manifest. @throws CliError if the file cannot be read, or has none */
  static open(path: string): Promise<ArchiveFile> {
    return orRefused(path, async () => new ArchiveFile(path, await readManifest(bytesOf(path))));
  }

  /**
   * The file, from its first byte. @throws ArchiveRefusal at its end if it has changed since it was first read to its end: then
   * it is not what has proved itself
   */
  async *bytes(): AsyncGenerator<Uint8Array, void, undefined> {
    const hash = createHash('sha256');
    for await (const chunk of bytesOf(this.path)) {
      hash.update(chunk);
      yield chunk;
    }
    const digest = hash.digest('hex');
    this.#digest ??= digest;
    if (digest !== this.#digest) throw new ArchiveRefusal('wrong-digest', 'The archive was changed while it was read.');
  }

  /** The catalog in it. */
  async *catalog(): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const part of readArchive(this.bytes())) if (part.kind === 'catalog') yield part.bytes;
  }
}

/** Runs work on an archive. @throws CliError with the reason for which it is refused, or that it cannot be read */
export async function orRefused<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ArchiveRefusal) {
      const details = [`reason: ${error.reason}`];
      throw new CliError(exitCodes.checkFailed, 'ARCHIVE_REFUSED', `${path}: ${error.message}`, {
        details,
        cause: error,
      });
    }
    if (error instanceof HoldfastError)
      throw new CliError(exitCodes.checkFailed, error.code, error.message, { cause: error });
    throw error;
  }
}

async function* bytesOf(path: string): AsyncGenerator<Uint8Array, void, undefined> {
  // O_NONBLOCK: opening a named pipe without a writer would wait for one.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((error: unknown) => {
    throw unreadable(path, error);
  });
  try {
    const found = await file.stat();
    if (!found.isFile()) throw localError(`${path} is not a regular file: an archive is read several times`, undefined);
    for (let offset = 0; ; ) {
      const { bytesRead, buffer } = await file.read(Buffer.alloc(chunkBytes), 0, chunkBytes, offset);
      if (bytesRead === 0) return;
      offset += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

function unreadable(path: string, error: unknown): CliError {
  return localError(`${path} ${pathProblem(error, 'read').reason}`, error);
}
