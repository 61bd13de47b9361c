import type { Command } from 'commander';
import { Option } from 'commander';
import { readBlob, writeBlob } from '../blobs.js';
import { withClient } from '../client-action.js';
import { addConnectionOptions } from '../connection.js';
import { addContextOption } from '../encryption-context.js';
import { usageError } from '../exit-codes.js';
import { printRecord } from '../output.js';
import type { Terminal } from '../terminal.js';

interface EncryptOptions {
  keyId: string;
  plaintextFile?: string;
  context: ReadonlyMap<string, string>;
  out?: string;
  base64?: boolean;
}

const examples = `
Examples:
  holdfast encrypt --key-id alias/payments --plaintext-file card.txt --context tenant=42 --out card.bin
  echo -n secret | holdfast encrypt --key-id alias/payments --base64
  holdfast encrypt --key-id alias/payments --plaintext-file card.txt --output json | jq -r .ciphertext_blob`;

/** `holdfast encrypt`. */
export function addEncryptCommand(program: Command, terminal: Terminal): void {
  const command = program
    .command('encrypt')
    .description('encrypt up to 4096 bytes in the HSM')
    .requiredOption('--key-id <key>', 'key id, key ARN, alias name or alias ARN')
    .option('--plaintext-file <file>', 'what to encrypt; - for stdin, which is the default')
    .addOption(refuseValueOption('--plaintext', '--plaintext-file or stdin'))
    .option('--out <file>', 'file for the ciphertext; - for stdout, which is the default (base64 on a terminal)')
    .option('--base64', 'write the ciphertext as base64')
    .addHelpText('after', examples);
  addConnectionOptions(addContextOption(command)).action(
    withClient<EncryptOptions, []>(terminal, async ({ client, options }) => {
      const plaintext = await readBlob(terminal, options.plaintextFile, '--plaintext-file');
      const response = await client.call('encrypt', {
        keyId: options.keyId,
        plaintext,
        encryptionContext: new Map(options.context),
        grantTokens: [],
      });
      plaintext.fill(0);
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

/** A hidden option that people try first, refused here: every user of the machine can see a command's arguments. */
function refuseValueOption(flag: string, instead: string): Option {
  return new Option(`${flag} <value>`).hideHelp().argParser(() => {
    throw usageError(
      `${flag} is not taken as an argument: every user of this machine can see it, and the shell keeps it in its history`,
      `use ${instead}`,
    );
  });
}
