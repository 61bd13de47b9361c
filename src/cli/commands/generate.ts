import type { Command } from 'commander';
import { Option } from 'commander';
import type { DataKeySpec } from '../../faces/grpc/gen/holdfast/kms/v1/algorithms.js';
import { writeBlob } from '../blobs.js';
import { withClient } from '../client-action.js';
import { addConnectionOptions } from '../connection.js';
import { addContextOption } from '../encryption-context.js';
import { usageError } from '../exit-codes.js';
import { parseWholeNumber } from '../number-option.js';
import { printRecord } from '../output.js';
import type { Terminal } from '../terminal.js';

interface GenerateDataKeyOptions {
  keyId: string;
  keySpec?: 'AES_128' | 'AES_256';
  numberOfBytes?: number;
  context: ReadonlyMap<string, string>;
  withoutPlaintext?: boolean;
  plaintextOut?: string;
  ciphertextOut?: string;
}

const dataKeyExamples = `
Examples:
  holdfast generate-data-key --key-id alias/payments --plaintext-out data.key --ciphertext-out data.key.enc
  holdfast generate-data-key --key-id alias/payments --number-of-bytes 64 --output json
  holdfast generate-data-key --key-id alias/payments --without-plaintext --ciphertext-out data.key.enc`;

/** `holdfast generate-data-key` and `holdfast generate-random`. */
export function addGenerateCommands(program: Command, terminal: Terminal): void {
  addGenerateDataKey(program, terminal);
  addGenerateRandom(program, terminal);
}

function addGenerateDataKey(program: Command, terminal: Terminal): void {
  const command = program
    .command('generate-data-key')
    .description('make a data key in the HSM, in the clear and encrypted under a key')
    .requiredOption('--key-id <key>', 'key id, key ARN, alias name or alias ARN')
    .addOption(
      new Option('--key-spec <spec>', 'its length, by name (default: AES_256)').choices(['AES_128', 'AES_256']),
    )
    .addOption(
      new Option('--number-of-bytes <n>', 'its length, 1 to 1024').argParser(parseWholeNumber).conflicts('keySpec'),
    )
    .option('--without-plaintext', 'only the encrypted data key')
    .option('--plaintext-out <file>', 'file for the data key, mode 0600')
    .option('--ciphertext-out <file>', 'file for the encrypted data key')
    .addHelpText('after', dataKeyExamples);
  addConnectionOptions(addContextOption(command)).action(
    withClient<GenerateDataKeyOptions, []>(terminal, async ({ client, options }) => {
      checkDestinations(options);
      const request = {
        keyId: options.keyId,
        encryptionContext: new Map(options.context),
        grantTokens: [],
        recipient: undefined,
        numberOfBytes: options.numberOfBytes,
        keySpec: options.numberOfBytes === undefined ? await dataKeySpec(options.keySpec) : undefined,
      };
      const response: DataKeyAnswer =
        options.withoutPlaintext === true
          ? await client.call('generateDataKeyWithoutPlaintext', request)
          : await client.call('generateDataKey', request);
      await writeParts(terminal, options, response);
      const written = options.ciphertextOut === undefined ? {} : { plaintext: undefined, ciphertextBlob: undefined };
      if (options.ciphertextOut === undefined || options.output === 'json') {
        await printRecord(terminal, options.output, { ...response, ...written });
      }
      response.plaintext?.fill(0);
    }),
  );
}

interface DataKeyAnswer {
  plaintext?: Buffer | undefined;
  ciphertextBlob?: Buffer | undefined;
}

/** A data key with one half in a file and the other half nowhere would be lost. */
function checkDestinations(options: GenerateDataKeyOptions): void {
  if (options.withoutPlaintext === true) {
    if (options.plaintextOut !== undefined)
      throw usageError('--plaintext-out and --without-plaintext exclude each other');
    return;
  }
  if ((options.plaintextOut === undefined) !== (options.ciphertextOut === undefined)) {
    throw usageError(
      '--plaintext-out and --ciphertext-out belong together',
      'with --without-plaintext use --ciphertext-out alone',
    );
  }
}

async function writeParts(terminal: Terminal, options: GenerateDataKeyOptions, response: DataKeyAnswer): Promise<void> {
  const parts = [
    { file: options.ciphertextOut, kind: 'ciphertext', bytes: response.ciphertextBlob },
    { file: options.plaintextOut, kind: 'plaintext', bytes: response.plaintext },
  ] as const;
  for (const { file, kind, bytes } of parts) {
    if (file !== undefined) await writeBlob(terminal, { file, kind, base64: false }, bytes ?? new Uint8Array());
  }
}

/** Loads the enum with the generated code, which a client has loaded by then. */
async function dataKeySpec(name: 'AES_128' | 'AES_256' = 'AES_256'): Promise<DataKeySpec> {
  const { DataKeySpec } = await import('../../faces/grpc/gen/holdfast/kms/v1/algorithms.js');
  return DataKeySpec[name];
}

interface GenerateRandomOptions {
  numberOfBytes: number;
  keyStoreId?: string;
  out?: string;
  base64?: boolean;
}

const randomExamples = `
Examples:
  holdfast generate-random --number-of-bytes 32 --base64
  holdfast generate-random --number-of-bytes 1024 --out seed.bin`;

function addGenerateRandom(program: Command, terminal: Terminal): void {
  const bytes = new Option('--number-of-bytes <n>', 'how many, 1 to 1024').argParser(parseWholeNumber);
  const command = program
    .command('generate-random')
    .description('make random bytes in the HSM')
    .addOption(bytes.makeOptionMandatory())
    .option('--key-store-id <id>', 'custom key store whose HSM makes them (default: the default key store)')
    .option('--out <file>', 'file for the bytes, mode 0600; - for stdout, which is the default (base64 on a terminal)')
    .option('--base64', 'write them as base64')
    .addHelpText('after', randomExamples);
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
