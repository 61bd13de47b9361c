import type { Command } from 'commander';
import { Option } from 'commander';
import { decodeBase64, readBlob } from '../blobs.js';
import { CliError, exitCodes } from '../exit-codes.js';
import { printRecord } from '../output.js';
import type { Terminal } from '../terminal.js';

interface DescribeOptions {
  base64?: true;
  output: 'table' | 'json';
}

const examples = `
Examples:
  holdfast ciphertext describe message.enc
  echo SEYB… | holdfast ciphertext describe -
  holdfast ciphertext describe message.enc --output json | jq -r .key_id

Without a server: it reads what the ciphertext says of itself, and proves nothing. Base64 is recognised; --base64 insists on it.
holdfast key describe <key_id> says whether a service knows the key. Exit code 5: it is not a ciphertext of Holdfast.`;

/** `holdfast ciphertext …`. */
export function addCiphertextCommands(program: Command, terminal: Terminal): void {
  program
    .command('ciphertext')
    .description('read the header of a ciphertext, without a server')
    .command('describe <file>')
    .description('show which key made a ciphertext; - for stdin')
    .option('--base64', 'the file holds base64')
    .addOption(new Option('--output <format>', 'how to print').choices(['table', 'json']).default('table'))
    .addHelpText('after', examples)
    .action(async (file: string, options: DescribeOptions) => {
      const { describeCiphertext } = await import('../../operations/cryptography/describe-ciphertext.js');
      const found = describeCiphertext(asBytes(await readBlob(terminal, file, '<file>'), options.base64 === true));
      if ('problem' in found) {
        throw new CliError(
          exitCodes.checkFailed,
          'NO_CIPHERTEXT',
          `${file} is not a ciphertext of Holdfast: ${found.problem}`,
        );
      }
      await printRecord(terminal, options.output, {
        format_version: found.formatVersion,
        key_id: found.keyId,
        material_id: found.materialId,
        algorithm: found.algorithm,
        nonce_bytes: found.nonceBytes,
        tag_bytes: found.tagBytes,
        ciphertext_bytes: found.ciphertextBytes,
        total_bytes: found.totalBytes,
      });
    });
}

/**
 * The format's first three bytes in base64. Text that begins so is not itself a ciphertext blob, which begins with
 * `HF`.
 */
const base64Start = /^\s*SEY[A-P]/;

function asBytes(blob: Buffer, insist: boolean): Buffer {
  const text = blob.toString('latin1');
  return insist || base64Start.test(text) ? decodeBase64(text, 'the ciphertext') : blob;
}
