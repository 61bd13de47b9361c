import type { Command } from 'commander';
import { writeBlob } from '../blobs.js';
import type { CiphertextOptions } from '../ciphertext-input.js';
import { addCiphertextOptions, readCiphertext } from '../ciphertext-input.js';
import { withClient } from '../client-action.js';
import { addConnectionOptions } from '../connection.js';
import { addContextOption } from '../encryption-context.js';
import { printRecord } from '../output.js';
import type { Terminal } from '../terminal.js';

interface ReEncryptOptions extends CiphertextOptions {
  destinationKeyId: string;
  sourceKeyId?: string;
  sourceContext: ReadonlyMap<string, string>;
  destinationContext: ReadonlyMap<string, string>;
  out?: string;
  base64?: boolean;
}

const examples = `
Examples:
  holdfast re-encrypt --ciphertext-file old.bin --destination-key-id alias/new --out new.bin
  holdfast re-encrypt --ciphertext "$BASE64" --source-context tenant=42 \\
    --destination-key-id alias/payments --destination-context tenant=43 --base64`;

/** `holdfast re-encrypt`. */
export function addReEncryptCommand(program: Command, terminal: Terminal): void {
  const command = program
    .command('re-encrypt')
    .description('change the key or the context of a ciphertext; the plaintext does not leave the server')
    .requiredOption('--destination-key-id <key>', 'key to encrypt with: key id, key ARN, alias name or alias ARN');
  addCiphertextOptions(command)
    .option('--source-key-id <key>', 'refuse a ciphertext of any other key')
    .option('--out <file>', 'file for the new ciphertext; - for stdout, which is the default (base64 on a terminal)')
    .option('--base64', 'write the new ciphertext as base64')
    .addHelpText('after', examples);
  addContextOption(command, 'source-context', 'encryption context of the ciphertext');
  addContextOption(command, 'destination-context', 'encryption context of the new ciphertext');
  addConnectionOptions(command).action(
    withClient<ReEncryptOptions, []>(terminal, async ({ client, options }) => {
      const response = await client.call('reEncrypt', {
        ciphertextBlob: await readCiphertext(terminal, options),
        sourceEncryptionContext: new Map(options.sourceContext),
        sourceKeyId: options.sourceKeyId,
        destinationKeyId: options.destinationKeyId,
        destinationEncryptionContext: new Map(options.destinationContext),
        grantTokens: [],
        dryRunModifiers: [],
      });
      const toFile = options.out !== undefined && options.out !== '-';
      if (toFile || options.output === 'table') {
        const destination = { file: options.out, base64: options.base64 === true, kind: 'ciphertext' } as const;
        await writeBlob(terminal, destination, response.ciphertextBlob ?? new Uint8Array());
      }
      if (options.output === 'json') {
        await printRecord(terminal, 'json', toFile ? { ...response, ciphertextBlob: undefined } : response);
      }
    }),
  );
}
