import type { Command } from 'commander';
import { Option } from 'commander';
import { decodeBase64, readBlob, writeBlob } from '../blobs.js';
import { withClient } from '../client-action.js';
import { addConnectionOptions } from '../connection.js';
import { printRecord } from '../output.js';
import type { Terminal } from '../terminal.js';

const macAlgorithms = ['HMAC_SHA_224', 'HMAC_SHA_256', 'HMAC_SHA_384', 'HMAC_SHA_512'] as const;

interface MacOptions {
  keyId: string;
  macAlgorithm: (typeof macAlgorithms)[number];
  messageFile?: string;
  base64?: boolean;
}

/** `holdfast generate-mac` and `holdfast verify-mac`. */
export function addMacCommands(program: Command, terminal: Terminal): void {
  addGenerateMac(program, terminal);
  addVerifyMac(program, terminal);
}

function withMacOptions(command: Command): Command {
  const algorithm = new Option('--mac-algorithm <algorithm>', 'that of the key: HMAC_SHA_256 for HMAC_256');
  return command
    .requiredOption('--key-id <key>', 'key id, key ARN, alias name or alias ARN')
    .addOption(algorithm.choices(macAlgorithms).makeOptionMandatory())
    .option('--message-file <file>', 'the message, up to 4096 bytes; - for stdin, which is the default');
}

function addGenerateMac(program: Command, terminal: Terminal): void {
  const command = withMacOptions(program.command('generate-mac').description('make the MAC of a message in the HSM'))
    .option('--out <file>', 'file for the MAC; - for stdout, which is the default (base64 on a terminal)')
    .option('--base64', 'write the MAC as base64')
    .addHelpText(
      'after',
      `
Examples:
  holdfast generate-mac --key-id alias/webhooks --mac-algorithm HMAC_SHA_256 --message-file body.json --out body.mac
  echo -n message | holdfast generate-mac --key-id alias/webhooks --mac-algorithm HMAC_SHA_256 --base64`,
    );
  addConnectionOptions(command).action(
    withClient<MacOptions & { out?: string }, []>(terminal, async ({ client, options }) => {
      const message = await readBlob(terminal, options.messageFile, '--message-file');
      const response = await client.call('generateMac', { ...(await commonFields(options)), message });
      message.fill(0);
      const toFile = options.out !== undefined && options.out !== '-';
      if (toFile || options.output === 'table') {
        const destination = { file: options.out, base64: options.base64 === true, kind: 'ciphertext' } as const;
        await writeBlob(terminal, destination, response.mac ?? new Uint8Array());
      }
      if (options.output === 'json') {
        await printRecord(terminal, 'json', toFile ? { ...response, mac: undefined } : response);
      }
    }),
  );
}

function addVerifyMac(program: Command, terminal: Terminal): void {
  const command = withMacOptions(program.command('verify-mac').description('verify the MAC of a message in the HSM'))
    .requiredOption('--mac-file <file>', 'the MAC, as generate-mac wrote it')
    .option('--base64', 'the MAC is base64')
    .addHelpText(
      'after',
      `
Example:
  holdfast verify-mac --key-id alias/webhooks --mac-algorithm HMAC_SHA_256 --message-file body.json --mac-file body.mac

A MAC that is not valid is the error KMS_INVALID_MAC.`,
    );
  addConnectionOptions(command).action(
    withClient<MacOptions & { macFile: string }, []>(terminal, async ({ client, options }) => {
      const file = await readBlob(terminal, options.macFile, '--mac-file');
      const mac = options.base64 === true ? decodeBase64(file.toString('latin1'), options.macFile) : file;
      const message = await readBlob(terminal, options.messageFile, '--message-file');
      const response = await client.call('verifyMac', { ...(await commonFields(options)), message, mac });
      message.fill(0);
      await printRecord(terminal, options.output, response);
    }),
  );
}

/** Loads the enum with the generated code, which a client has loaded by then. */
async function commonFields({ keyId, macAlgorithm: name }: MacOptions) {
  const { MacAlgorithm } = await import('../../faces/grpc/gen/holdfast/kms/v1/algorithms.js');
  return { keyId, macAlgorithm: MacAlgorithm[name], grantTokens: [] };
}
