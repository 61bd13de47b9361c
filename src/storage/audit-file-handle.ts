import { constants, type Stats, statSync } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { getSystemErrorMap } from 'node:util';
import type { FileWriter, OpenFileWriter } from './file-writer.js';

/**
 * Called when a text was written, or when the system refused a part of it.
 * @param writtenBytes of its UTF-8 form
 * @param error why the rest was not written
 */
export type WriteListener = (writtenBytes: number, error: Error | undefined) => void;

/** See `AuditFileHandle.look`. */
export type AuditFileCondition = 'whole' | 'removed' | 'cut-off';

/** The part of the file that the log needs. */
export type AuditFileTarget = Pick<AuditFileHandle, 'write' | 'sync' | 'look' | 'acceptLength' | 'isAt' | 'close'>;

/** Our own standard streams, which may be pipes: the process that started us reads them. */
const inheritedStream = /^\/(dev\/(stdout|stderr|fd\/\d+)|proc\/self\/fd\/\d+)$/;

const newline = 0x0a;
const appendFlags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT;

/** An open audit file. It only appends: several processes may write to one file. */
export class AuditFileHandle {
  readonly #handle: FileHandle;
  /** Devices and pipes (`/dev/stdout`) have no end to check and nothing to sync. */
  readonly #isRegular: boolean;
  /** Its size when it was opened, plus the bytes that this process has written since: others only append. */
  #leastBytes: number;
  readonly #writer: FileWriter;
  /** The listener of the present write. */
  #onWritten: WriteListener = () => undefined;

  private constructor(handle: FileHandle, found: Stats, openWriter: OpenFileWriter) {
    this.#handle = handle;
    this.#writer = openWriter(this.#written);
    this.#isRegular = found.isFile();
    this.#leastBytes = found.size;
  }

  /**
   * Creates the file (0600) if it is missing; its name is then synced too. Rejects for a named pipe, which would block
   * here until it has a reader, and again at later writes, and for a block device.
   */
  static async open(path: string, openWriter: OpenFileWriter): Promise<AuditFileHandle> {
    requireFileOrDevice(path);
    const handle = await open(path, appendFlags, 0o600);
    try {
      const found = await handle.stat();
      if (found.isFile() && found.size === 0) await syncFolder(dirname(path));
      return new AuditFileHandle(handle, found, openWriter);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /**
   * Writes until everything is written or the system refuses: a nearly full disk takes a part first. One text at a time;
   * the listener is called later, once. Makes no promise: this is done for nearly every request.
   */
  write(text: string, onWritten: WriteListener): void {
    this.#onWritten = onWritten;
    this.#writer.write(this.#handle.fd, text);
  }

  readonly #written = (writtenBytes: number, errno: number): void => {
    this.#leastBytes += writtenBytes;
    this.#onWritten(writtenBytes, errno === 0 ? undefined : writeError(errno));
  };

  async sync(): Promise<void> {
    if (this.#isRegular) await this.#handle.datasync();
  }

  /**
   * The condition of the written data. `removed`: no folder has the file any more, and later writes are lost with the
   * process. `cut-off`: it is shorter than it must be; logrotate's copytruncate does that, and so does a person who
   * hides something.
   */
  async look(): Promise<AuditFileCondition> {
    if (!this.#isRegular) return 'whole';
    // Read before the size: bytes that are written in between may be missing from the size.
    const leastBytes = this.#leastBytes;
    const { nlink, size } = await this.#handle.stat();
    if (nlink === 0) return 'removed';
    return size < leastBytes ? 'cut-off' : 'whole';
  }

  /** Called after a file was found cut off, and before the next write: it continues from here. */
  async acceptLength(): Promise<void> {
    this.#leastBytes = (await this.#handle.stat()).size;
  }

  /** Whether this path still leads to the file. A log rotation moves it away before it sends SIGHUP. */
  async isAt(path: string): Promise<boolean> {
    if (!this.#isRegular) return true;
    const [ours, named] = await Promise.all([this.#handle.stat(), statOrNothing(path)]);
    return named?.ino === ours.ino && named.dev === ours.dev;
  }

  /** Must not be called during a write. */
  async close(): Promise<void> {
    this.#writer.close();
    await this.#handle.close();
  }
}

/** The error as Node's own functions throw it. */
function writeError(errno: number): NodeJS.ErrnoException {
  const [code, message] = getSystemErrorMap().get(-errno) ?? ['UNKNOWN', 'unknown error'];
  return Object.assign(new Error(`${code}: ${message}, write`), { errno: -errno, code, syscall: 'write' });
}

async function statOrNothing(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function requireFileOrDevice(path: string): void {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined || found.isFile() || found.isCharacterDevice()) return;
  if (found.isFIFO() && inheritedStream.test(path)) return;
  throw new Error(`The audit log ${path} is neither a file nor a character device such as /dev/stdout.`);
}

/** Whether a file ends in the middle of a line: a process died, or the disk was full, during a write. */
export async function endsInTornLine(path: string): Promise<boolean> {
  // A device or a pipe has no end to check, and opening it to read might wait for a writer.
  if (!(await stat(path)).isFile()) return false;
  const handle = await open(path, 'r');
  try {
    const first = await lastByte(handle);
    if (first.byte === undefined || first.byte === newline) return false;
    // A sibling may be in the middle of a long write, whose end would appear in a moment. A pause shows whether it
    // does. Blocking is harmless: this happens only when a file is opened after a crash.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
    const second = await lastByte(handle);
    return second.size === first.size && second.byte !== newline;
  } finally {
    await handle.close();
  }
}

async function lastByte(handle: FileHandle): Promise<{ size: number; byte: number | undefined }> {
  const found = await handle.stat();
  if (!found.isFile() || found.size === 0) return { size: 0, byte: undefined };
  const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, found.size - 1);
  return { size: found.size, byte: buffer[0] };
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
