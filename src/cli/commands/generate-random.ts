import type { Command } from 'commander';
import { Option } from 'commander';
import { writeBlob } from '../blobs.js';
import { withClient } from '../client-action.js';
import { addConnectionOptions } from '../connection.js';
import { parseWholeNumber } from '../number-option.js';
import { printRecord } from '../output.js';
import type { Terminal } from '../terminal.js';

interface GenerateRandomOptions {
  numberOfBytes: number;
  keyStoreId?: string;
  out?: string;
  base64?: boolean;
}

const examples = `
Examples:
  holdfast generate-random --number-of-bytes 32 --base64
  holdfast generate-random --number-of-bytes 1024 --out seed.bin`;

/** `holdfast generate-random`. */
export function addGenerateRandomCommand(program: Command, terminal: Terminal): void {
  const bytes = new Option('--number-of-bytes <n>', 'how many, 1 to 1024').argParser(parseWholeNumber);
  const command = program
    .command('generate-random')
    .description('make random bytes in the HSM')
    .addOption(bytes.makeOptionMandatory())
    .option('--key-store-id <id>', 'custom key store whose HSM makes them (default: the default key store)')
    .option('--out <file>', 'where they go, mode 0600; - for stdout, which is the default (base64 on a terminal)')
    .option('--base64', 'write them as base64')
    .addHelpText('after', examples);
  addConnectionOptions(command).action(
    withClient<GenerateRandomOptions, []>(terminal, async ({ client, options }) => {
      const { numberOfBytes, keyStoreId } = options;
      const response = await client.call('generateRandom', {
        numberOfBytes,
        customKeyStoreId: keyStoreId,
        recipient: undefined,
      });
      const toFile = options.out !== undefined && options.out !== '-';
      if (toFile || options.output === 'table') {
        const destination = { file: options.out, base64: options.base64 === true, kind: 'ciphertext' } as const;
        await writeBlob(terminal, destination, response.plaintext ?? new Uint8Array());
      }
      if (options.output === 'json') {
        await printRecord(terminal, 'json', toFile ? { ...response, plaintext: undefined } : response);
      }
      response.plaintext?.fill(0);
    }),
  );
}
