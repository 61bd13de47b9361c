import type { Command } from 'commander';
import { decodeBase64, readBlob } from './blobs.js';
import { usageError } from './exit-codes.js';
import type { Terminal } from './terminal.js';

/** The options that give a ciphertext. */
export interface CiphertextOptions {
  ciphertext?: string;
  ciphertextFile?: string;
  ciphertextBase64?: boolean;
}

/** Adds the ways to give a ciphertext, which is not secret. */
export function addCiphertextOptions(command: Command): Command {
  return command
    .option('--ciphertext-file <file>', 'the ciphertext; - for stdin, which is the default')
    .option('--ciphertext-base64', 'the file or stdin holds base64')
    .option('--ciphertext <base64>', 'the ciphertext itself, as base64');
}

/** @throws CliError */
export async function readCiphertext(terminal: Terminal, options: CiphertextOptions): Promise<Buffer> {
  if (options.ciphertext !== undefined) {
    if (options.ciphertextFile !== undefined) throw usageError('--ciphertext and --ciphertext-file exclude each other');
    return decodeBase64(options.ciphertext, '--ciphertext');
  }
  const bytes = await readBlob(terminal, options.ciphertextFile, '--ciphertext-file');
  return options.ciphertextBase64 === true ? decodeBase64(bytes.toString('latin1'), 'the ciphertext') : bytes;
}
