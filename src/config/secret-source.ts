import { spawn } from 'node:child_process';
import type { Stats } from 'node:fs';
import { readRegularFile, UnreadableFileError } from '../regular-file.js';
import { Secret } from '../secret.js';
import type { SecretSource } from './configuration.js';
import { exposureOf } from './file-exposure.js';

/** The maximum length of a secret, in bytes. */
export const maximumSecretBytes = 65_536;

/** The time that a command may take to print its secret. */
const secretCommandTimeoutMs = 10_000;

/** A secret that cannot be used, and why. The message never contains any part of it. */
export class SecretUnavailableError extends Error {
  override readonly name = 'SecretUnavailableError';
}

/**
 * Reads one secret. One newline at its end is not part of it. An environment variable is removed after reading.
 * @throws SecretUnavailableError
 */
export async function resolveSecret(
  source: SecretSource,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<Secret> {
  if (source.kind === 'file') return withoutNewline(await readSecretFile(source.path), source.path);
  if (source.kind === 'command') return withoutNewline(await runSecretCommand(source.argv), source.argv[0]);
  const value = environment[source.name];
  if (value === undefined) throw new SecretUnavailableError(`the environment variable ${source.name} is not set`);
  Reflect.deleteProperty(environment, source.name);
  return withoutNewline(new TextEncoder().encode(value), `the environment variable ${source.name}`);
}

async function readSecretFile(path: string): Promise<Uint8Array> {
  try {
    const refuse = (found: Stats): string | undefined => exposureOf(found, process.getuid?.());
    return await readRegularFile(path, { maximumBytes: maximumSecretBytes, refuse });
  } catch (error) {
    if (error instanceof UnreadableFileError) throw new SecretUnavailableError(error.message, { cause: error });
    throw error;
  }
}

/** Runs without a shell. Its stderr goes to ours: it is for the operator. */
function runSecretCommand(argv: readonly [string, ...string[]]): Promise<Uint8Array> {
  const [program, ...argumentList] = argv;
  const child = spawn(program, argumentList, {
    stdio: ['ignore', 'pipe', 'inherit'],
    shell: false,
    timeout: secretCommandTimeoutMs,
    killSignal: 'SIGKILL',
  });
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const fail = (reason: string, cause?: unknown): void => {
      for (const chunk of chunks) chunk.fill(0);
      reject(new SecretUnavailableError(`the command ${program} ${reason}`, { cause }));
    };
    child.stdout.on('data', (chunk: Buffer) => {
      length += chunk.byteLength;
      chunks.push(chunk);
      if (length > maximumSecretBytes) child.kill('SIGKILL');
    });
    child.on('error', (error) => fail(`could not be run: ${error.message}`, error));
    child.on('close', (code, signal) => {
      if (length > maximumSecretBytes) fail(`printed more than ${maximumSecretBytes} bytes`);
      else if (signal !== null) fail(`was ended by ${signal}; it has ${secretCommandTimeoutMs / 1_000} seconds`);
      else if (code !== 0) fail(`failed with exit code ${String(code)}`);
      else resolve(joinAndZero(chunks));
    });
  });
}

function joinAndZero(chunks: readonly Buffer[]): Uint8Array {
  const joined = Buffer.concat(chunks);
  for (const chunk of chunks) chunk.fill(0);
  return joined;
}

/** Takes ownership of `bytes` and leaves them zeroed. */
function withoutNewline(bytes: Uint8Array, origin: string): Secret {
  let end = bytes.byteLength;
  if (bytes[end - 1] === 0x0a) end -= bytes[end - 2] === 0x0d ? 2 : 1;
  const secret = new Secret(Buffer.from(bytes.subarray(0, end)));
  bytes.fill(0);
  if (secret.byteLength === 0) throw new SecretUnavailableError(`${origin} is empty`);
  return secret;
}
