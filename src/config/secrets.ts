import { UnreadableFileError } from '../regular-file.js';
import { Secret } from '../secret.js';
import type { Configuration, SecretSource } from './configuration.js';
import { ConfigurationError } from './problem.js';
import { decodeSealingKey } from './sealing-key.js';
import { headerProblem, pinProblem } from './secret-content.js';
import { resolveSecret, SecretUnavailableError } from './secret-source.js';

/** The secrets of a configuration. Their owner destroys them. */
export interface ResolvedSecrets {
  /** Null if there is no default key store. */
  defaultKeyStorePin: Secret | null;
  /** The keys in the order of the configuration; 32 bytes each. */
  sealingKeys: { id: string; key: Secret }[];
  /** Headers of the exports by OTLP. */
  otlpHeaders: OtlpHeaders;
}

/** One header of an export. */
interface SecretHeader {
  name: string;
  value: Secret;
}

/** The headers of each signal that is sent by OTLP. */
type OtlpHeaders = Record<'tracing' | 'otlpMetrics' | 'otlpLogs', SecretHeader[]>;

/** A secret of the configuration: its place in the file, and the source that it is read from. */
export interface NamedSecret {
  path: string;
  source: SecretSource;
}

/** The result of reading every secret: the usable ones, and the problem of each of the others. */
export interface SecretReadings {
  /** The secrets that could be read without a problem. */
  secrets: ResolvedSecrets;
  /**
   * Every secret that the configuration names, in order. `problem` is undefined if it can be used, and `remedy` if
   * there is no better one than the general remedy for this kind of secret.
   */
  readings: (NamedSecret & { problem: string | undefined; remedy?: string | undefined })[];
}

/**
 * The third step after file and types: reads every secret that the configuration names, each once. Environment
 * variables with secrets are then removed from `environment`: no child process and no later reader gets them.
 */
export async function readSecrets(
  configuration: Configuration,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<SecretReadings> {
  const readings: SecretReadings['readings'] = [];
  // Each reader gets a copy: one variable may be named twice.
  const original = { ...environment };
  const attempt = async (path: string, source: SecretSource, decode: Decode): Promise<Secret | undefined> => {
    try {
      const secret = decode(await resolveSecret(source, { ...original }));
      readings.push({ path, source, problem: undefined });
      return secret;
    } catch (error) {
      if (!(error instanceof SecretUnavailableError)) throw error;
      const remedy = error.cause instanceof UnreadableFileError ? error.cause.remedy : undefined;
      readings.push({ path, source, problem: error.message, remedy });
      return undefined;
    } finally {
      if (source.kind === 'env') Reflect.deleteProperty(environment, source.name);
    }
  };
  const secrets: ResolvedSecrets = {
    defaultKeyStorePin: null,
    sealingKeys: [],
    otlpHeaders: { tracing: [], otlpMetrics: [], otlpLogs: [] },
  };
  const { defaultKeyStore } = configuration;
  if (defaultKeyStore !== null) {
    const decode = decodePin(defaultKeyStore.pin, maximumPinLength(configuration, defaultKeyStore.cluster));
    secrets.defaultKeyStorePin = (await attempt('defaultKeyStore.pin', defaultKeyStore.pin, decode)) ?? null;
  }
  for (const [index, { id, key: source }] of configuration.sealingKeys.entries()) {
    const key = await attempt(`sealingKeys[${index}].key`, source, decodeKey);
    if (key !== undefined) secrets.sealingKeys.push({ id, key });
  }
  for (const signal of ['tracing', 'otlpMetrics', 'otlpLogs'] as const) {
    for (const { name, value: source } of configuration.telemetry[signal]?.headers ?? []) {
      const value = await attempt(`telemetry.${signal}.headers.${name}`, source, decodeHeader(source));
      if (value !== undefined) secrets.otlpHeaders[signal].push({ name, value });
    }
  }
  return { secrets, readings };
}

/**
 * Reads the secrets for a caller that needs all of them.
 * @throws ConfigurationError with every secret that cannot be used; none is left in memory then.
 */
export async function resolveSecrets(
  configuration: Configuration,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<ResolvedSecrets> {
  const { secrets, readings } = await readSecrets(configuration, environment);
  const problems = readings.flatMap(({ path, problem }) => (problem === undefined ? [] : [{ path, message: problem }]));
  if (problems.length === 0) return secrets;
  destroySecrets(secrets);
  throw new ConfigurationError(configuration.path, problems);
}

/**
 * Reads the default key store's PIN again. Undefined if there is none, or if it came from an environment variable, which
 * was removed when it was read.
 * @throws SecretUnavailableError
 */
export async function readDefaultKeyStorePin(configuration: Configuration): Promise<Secret | undefined> {
  const { defaultKeyStore } = configuration;
  if (defaultKeyStore === null || defaultKeyStore.pin.kind === 'env') return undefined;
  const decode = decodePin(defaultKeyStore.pin, maximumPinLength(configuration, defaultKeyStore.cluster));
  return decode(await resolveSecret(defaultKeyStore.pin));
}

/** Zeroes all the secrets. */
export function destroySecrets({ defaultKeyStorePin, sealingKeys, otlpHeaders }: ResolvedSecrets): void {
  defaultKeyStorePin?.destroy();
  for (const { key } of sealingKeys) key.destroy();
  for (const { value } of Object.values(otlpHeaders).flat()) value.destroy();
}

/**
 * Takes ownership of the bytes read, and returns the usable secret. @throws SecretUnavailableError, with the secret
 * destroyed
 */
type Decode = (secret: Secret) => Secret;

function maximumPinLength({ clusters }: Configuration, clusterId: string): number {
  return clusters.find(({ id }) => id === clusterId)?.maximumPinLength ?? Number.POSITIVE_INFINITY;
}

/** Refuses bytes that are probably not a PIN. */
function decodePin(source: SecretSource, maximumLength: number): Decode {
  return checked(source, (bytes) => pinProblem(bytes, maximumLength));
}

function decodeHeader(source: SecretSource): Decode {
  return checked(source, headerProblem);
}

function checked(source: SecretSource, problemOf: (bytes: Uint8Array) => string | undefined): Decode {
  return (secret) => {
    const problem = problemOf(secret.reveal());
    if (problem === undefined) return secret;
    secret.destroy();
    throw new SecretUnavailableError(`${nameOf(source)} ${problem}`);
  };
}

function nameOf(source: SecretSource): string {
  if (source.kind === 'file') return source.path;
  return source.kind === 'env' ? `the environment variable ${source.name}` : `the output of ${source.argv[0]}`;
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
