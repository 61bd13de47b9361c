import type { Command } from 'commander';
import { writeBlob } from '../blobs.js';
import type { CiphertextOptions } from '../ciphertext-input.js';
import { addCiphertextOptions, readCiphertext } from '../ciphertext-input.js';
import { withClient } from '../client-action.js';
import { addConnectionOptions } from '../connection.js';
import { addContextOption } from '../encryption-context.js';
import { printRecord } from '../output.js';
import type { Terminal } from '../terminal.js';

interface DecryptOptions extends CiphertextOptions {
  keyId?: string;
  context: ReadonlyMap<string, string>;
  out?: string;
}

const examples = `
Examples:
  holdfast decrypt --ciphertext-file card.bin --context tenant=42 --out card.txt
  holdfast decrypt --ciphertext "$BASE64" --context tenant=42
  holdfast decrypt --key-id alias/payments --ciphertext-base64 < card.b64   # refuse another key's ciphertext`;

/** `holdfast decrypt`. */
export function addDecryptCommand(program: Command, terminal: Terminal): void {
  const command = program.command('decrypt').description('decrypt in the HSM; the ciphertext names its key');
  addCiphertextOptions(command)
    .option('--key-id <key>', 'refuse a ciphertext of any other key')
    .option('--out <file>', 'file for the plaintext, mode 0600; - for stdout, which is the default')
    .addHelpText('after', examples);
  addConnectionOptions(addContextOption(command, 'context', 'the encryption context that was used to encrypt')).action(
    withClient<DecryptOptions, []>(terminal, async ({ client, options }) => {
      const response = await client.call('decrypt', {
        ciphertextBlob: await readCiphertext(terminal, options),
        encryptionContext: new Map(options.context),
        grantTokens: [],
        keyId: options.keyId,
        recipient: undefined,
        dryRunModifiers: [],
      });
      const toFile = options.out !== undefined && options.out !== '-';
      if (toFile || options.output === 'table') {
        const destination = { file: options.out, base64: false, kind: 'plaintext' } as const;
        await writeBlob(terminal, destination, response.plaintext ?? new Uint8Array());
      }
      if (options.output === 'json') {
        await printRecord(terminal, 'json', toFile ? { ...response, plaintext: undefined } : response);
      }
      response.plaintext?.fill(0);
    }),
  );
}
