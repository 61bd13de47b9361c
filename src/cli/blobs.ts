import { randomBytes } from 'node:crypto';
import { open, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { localError, usageError } from './exit-codes.js';
import type { Terminal } from './terminal.js';
import { printable } from '../printable.js';
import { write, writeLine } from './terminal.js';

/** More than any request may contain: reading stops there instead of filling memory. */
const maximumInputBytes = 1_048_576;

/**
 * Reads a file, or stdin for `-`. Without a file it reads stdin too, unless that is a terminal.
 * @throws CliError
 */
export async function readBlob(terminal: Terminal, file: string | undefined, option: string): Promise<Buffer> {
  if (file !== undefined && file !== '-') return readInputFile(file);
  if (file === undefined && terminal.stdin.isTTY === true) {
    throw usageError(`nothing to read: use ${option} <file>, or ${option} - for stdin`);
  }
  return readStdin(terminal);
}

async function readInputFile(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    throw localError(`${file} cannot be read${reasonOf(error)}`, error);
  }
}

/** All of stdin. */
export async function readStdin(terminal: Terminal): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of terminal.stdin) {
    const bytes = Buffer.from(chunk as Uint8Array);
    length += bytes.byteLength;
    if (length > maximumInputBytes) throw usageError(`stdin has more than ${maximumInputBytes} bytes`);
    chunks.push(bytes);
  }
  return Buffer.concat(chunks);
}

/** Strict base64 (RFC 4648 §4). White space between is allowed: a terminal or an editor may have wrapped it. */
export function decodeBase64(text: string, what: string): Buffer {
  const compact = text.replaceAll(/\s/g, '');
  if (compact === '' || compact.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(compact)) {
    throw usageError(`${what} is not base64`, 'a file with the bytes themselves is read without --base64');
  }
  return Buffer.from(compact, 'base64');
}

/** The destination of bytes and their form. */
export interface BlobDestination {
  /** A file, or `-` or undefined for stdout. */
  file: string | undefined;
  /** Whether to write one line of base64 even if that is not needed. */
  base64: boolean;
  /** `plaintext` is for text that people want to read, if it is text. */
  kind: 'plaintext' | 'ciphertext';
}

/**
 * Writes bytes. A file appears whole or not at all, with mode 0600. On a terminal, bytes that are not text become
 * base64: they must neither break it nor get lost.
 */
export async function writeBlob(terminal: Terminal, destination: BlobDestination, bytes: Uint8Array): Promise<void> {
  const { file, kind } = destination;
  if (file !== undefined && file !== '-') {
    return writeFileAtomically(file, destination.base64 ? `${toBase64(bytes)}\n` : bytes);
  }
  const onTerminal = terminal.stdout.isTTY === true;
  const asText = kind === 'plaintext' && isPrintable(bytes);
  if (destination.base64 || (onTerminal && !asText)) return writeLine(terminal.stdout, toBase64(bytes));
  await write(terminal.stdout, bytes);
  if (onTerminal && bytes.at(-1) !== 0x0a) await write(terminal.stdout, '\n');
}

/** Writes beside the destination, syncs, and renames. */
async function writeFileAtomically(file: string, content: string | Uint8Array): Promise<void> {
  const temporary = join(dirname(file), `.${basename(file)}.${randomBytes(6).toString('hex')}`);
  try {
    await using handle = await open(temporary, 'wx', 0o600);
    await handle.writeFile(content);
    await handle.sync();
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw localError(`${file} cannot be written${reasonOf(error)}`, error);
  }
}

function toBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

/** UTF-8 without control characters other than tab and line ends: nothing that a terminal would obey. */
function isPrintable(bytes: Uint8Array): boolean {
  const text = Buffer.from(bytes).toString('utf8');
  const words = text.replaceAll(/\r\n|[\t\n]/g, '');
  return !text.includes('\u{fffd}') && printable(words) === words;
}

function reasonOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? ` (${String(error.code)})` : '';
}
