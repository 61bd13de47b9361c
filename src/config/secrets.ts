import { spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { Secret } from '../secret.js';
import type { Configuration, SecretSource } from './configuration.js';
import { ConfigurationError } from './problem.js';
import { decodeSealingKey } from './sealing-key.js';

/** The longest secret that is read, in bytes. */
export const maximumSecretBytes = 65_536;

/** How long a command may take to print its secret. */
const secretCommandTimeoutMs = 10_000;

/** The secrets of a configuration. Whoever has them destroys them. */
export interface ResolvedSecrets {
  /** Null when there is no default key store. */
  defaultKeyStorePin: Secret | null;
  /** In the order of the configuration; 32 bytes each. */
  sealingKeys: { id: string; key: Secret }[];
  /** Headers of the exports of traces. */
  tracingHeaders: { name: string; value: Secret }[];
}

/** A secret that is not to be had, and why. The message never holds any part of it. */
export class SecretUnavailableError extends Error {
  override readonly name = 'SecretUnavailableError';
}

/**
 * The third step after file and types: reads every secret that the configuration names. Environment variables that
 * held one are gone from `environment` afterwards, so that no child process and no later reader has them.
 * @throws ConfigurationError with every secret that is not to be had.
 */
export async function resolveSecrets(
  configuration: Configuration,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<ResolvedSecrets> {
  const problems: { path: string; message: string }[] = [];
  // Each reader gets a copy: one variable may be named twice.
  const original = { ...environment };
  const attempt = async (
    path: string,
    source: SecretSource,
    decode = (secret: Secret) => secret,
  ): Promise<Secret | undefined> => {
    try {
      return decode(await resolveSecret(source, { ...original }));
    } catch (error) {
      if (!(error instanceof SecretUnavailableError)) throw error;
      problems.push({ path, message: error.message });
      return undefined;
    } finally {
      if (source.kind === 'env') Reflect.deleteProperty(environment, source.name);
    }
  };
  const { defaultKeyStore } = configuration;
  const pin = defaultKeyStore === null ? null : await attempt('defaultKeyStore.pin', defaultKeyStore.pin);
  const sealingKeys: ResolvedSecrets['sealingKeys'] = [];
  for (const [index, { id, key: source }] of configuration.sealingKeys.entries()) {
    const key = await attempt(`sealingKeys[${index}].key`, source, decodeKey);
    if (key !== undefined) sealingKeys.push({ id, key });
  }
  const tracingHeaders: ResolvedSecrets['tracingHeaders'] = [];
  for (const { name, value: source } of configuration.telemetry.tracing?.headers ?? []) {
    const value = await attempt(`telemetry.tracing.headers.${name}`, source);
    if (value !== undefined) tracingHeaders.push({ name, value });
  }
  if (problems.length === 0 && pin !== undefined) return { defaultKeyStorePin: pin, sealingKeys, tracingHeaders };
  pin?.destroy();
  for (const { key } of sealingKeys) key.destroy();
  for (const { value } of tracingHeaders) value.destroy();
  throw new ConfigurationError(configuration.path, problems);
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

/**
 * Reads a sealing key: 32 bytes as base64 or hex.
 * @throws SecretUnavailableError
 */
export async function resolveSealingKey(source: SecretSource, environment?: NodeJS.ProcessEnv): Promise<Secret> {
  return decodeKey(await resolveSecret(source, environment));
}

function decodeKey(encoded: Secret): Secret {
  using text = encoded;
  const key = decodeSealingKey(text.reveal());
  if (key !== undefined) return new Secret(key);
  throw new SecretUnavailableError(
    'a sealing key is 32 bytes as base64 (44 characters) or hex (64); `openssl rand -base64 32` makes one',
  );
}

async function readSecretFile(path: string): Promise<Uint8Array> {
  try {
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const { mode, uid, size } = await file.stat();
    if ((mode & constants.S_IFMT) !== constants.S_IFREG) throw new SecretUnavailableError(`${path} is not a file`);
    const problem = exposureOf({ mode, uid }, process.getuid?.());
    if (problem !== undefined) throw new SecretUnavailableError(`${path} ${problem}`);
    if (size > maximumSecretBytes)
      throw new SecretUnavailableError(`${path} has more than ${maximumSecretBytes} bytes`);
    const bytes = Buffer.alloc(size);
    const { bytesRead } = await file.read(bytes, 0, size, 0);
    return bytes.subarray(0, bytesRead);
  } catch (error) {
    if (error instanceof SecretUnavailableError) throw error;
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    const reason =
      code === 'ENOENT'
        ? 'does not exist'
        : code === 'EACCES'
          ? 'may not be read by this user'
          : `cannot be read (${code})`;
    throw new SecretUnavailableError(`${path} ${reason}`, { cause: error });
  }
}

/**
 * What is wrong with who may read a file of a secret; undefined where nothing is. Ours alone (0600 or stricter) is right, and so is root's
 * with 0440 or stricter: orchestrators mount secrets so, and what root may write, root could have us read anyway.
 */
export function exposureOf(
  { mode, uid }: { mode: number; uid: number },
  ourUid: number | undefined,
): string | undefined {
  if (uid === 0 && (mode & 0o337) === 0) return undefined;
  const octal = (mode & 0o777).toString(8).padStart(4, '0');
  if (uid !== ourUid) {
    return uid === 0
      ? `belongs to root and is open to others (mode ${octal}); chmod 440 it, with a group of the user that reads it`
      : `belongs to another user (uid ${uid}); chown it to the user that reads it`;
  }
  return (mode & 0o077) === 0 ? undefined : `is open to others (mode ${octal}); chmod 600 it`;
}

/** Runs without a shell. What it prints to stderr goes to ours: it is for the operator. */
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
  const secret = new Secret(new Uint8Array(bytes.subarray(0, end)));
  bytes.fill(0);
  if (secret.byteLength === 0) throw new SecretUnavailableError(`${origin} is empty`);
  return secret;
}
