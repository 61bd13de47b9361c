import { dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import { Option } from 'commander';
import { readRegularText, UnreadableFileError } from '../regular-file.js';
import { localError, usageError } from './exit-codes.js';
import { parseSeconds } from './number-option.js';
import { type ProxyVariable, proxyVariableFor } from './proxy.js';
import { defaultPort, grpcTarget, parseServerAddress } from './server-address.js';
import type { Terminal } from './terminal.js';

/** The server's address and the client's identity. Paths are absolute. */
export interface ConnectionSettings {
  /** gRPC target: `host:port` or `unix:/path`. */
  target: string;
  /** Undefined for a Unix socket. */
  host: string | undefined;
  /** The environment variable that puts a proxy before the server, or would if gRPC read it. */
  proxy: ProxyVariable | undefined;
  security: { kind: 'tls'; ca: string; certificate: string; key: string } | { kind: 'none' };
  /** The time for everything that the command asks of the server. */
  timeoutMs: number;
}

/** The connection options as commander parses them. */
export interface ConnectionOptions {
  server?: string;
  ca?: string;
  certificate?: string;
  key?: string;
  withoutTls?: boolean;
  profile?: string;
  timeout: number;
  output: 'table' | 'json';
}

/** The profile that is used by default if the file exists (`npm run quickstart` writes it). */
const defaultProfile = '.holdfast/client.yaml';

const defaultTimeoutSeconds = 30;

/** Adds the options of every command that connects to a server. */
export function addConnectionOptions(command: Command): Command {
  return command
    .optionsGroup('Connection (or HOLDFAST_SERVER, HOLDFAST_CA, HOLDFAST_CERTIFICATE, HOLDFAST_KEY, HOLDFAST_PROFILE):')
    .option('--server <target>', `host, host:port or unix:path (default port: ${defaultPort})`)
    .option('--ca <file>', 'certificate authority of the server (PEM)')
    .option('--certificate <file>', 'our client certificate (PEM)')
    .option('--key <file>', 'private key of the client certificate (PEM)')
    .option('--without-tls', 'for a plaintext listener on loopback')
    .option(
      '--profile <file>',
      `YAML file with server, ca, certificate, key (default: ${defaultProfile} if it is there)`,
    )
    .option('--timeout <seconds>', 'maximum time for all requests of the command', parseSeconds, defaultTimeoutSeconds)
    .optionsGroup('Output:')
    .addOption(new Option('--output <format>', 'how to print').choices(['table', 'json']).default('table'));
}

/**
 * Finds the settings: an option wins over the environment, and the environment over the profile.
 * @throws CliError when they are incomplete
 */
export async function connectionSettings(
  options: ConnectionOptions,
  { environment, directory }: Pick<Terminal, 'environment' | 'directory'>,
): Promise<ConnectionSettings> {
  const profile = await readProfile(options.profile ?? environment['HOLDFAST_PROFILE'], directory);
  const choose = (name: ProfileKey): string | undefined =>
    options[name] ?? environment[`HOLDFAST_${name.toUpperCase()}`] ?? profile[name];
  const server = choose('server');
  if (server === undefined) {
    throw usageError(
      'no server is named',
      `use --server host:port, HOLDFAST_SERVER, or a profile (${defaultProfile} or --profile)`,
    );
  }
  const timeoutMs = options.timeout * 1_000;
  if (server.startsWith('unix:')) {
    const target = `unix:${resolve(server.slice('unix:'.length))}`;
    return { target, host: undefined, proxy: undefined, security: { kind: 'none' }, timeoutMs };
  }
  const address = parseServerAddress(server);
  const { host } = address;
  const place = { target: grpcTarget(address), host, proxy: proxyVariableFor(host, environment), timeoutMs };
  if (options.withoutTls === true) return { ...place, security: { kind: 'none' } };
  const [ca, certificate, key] = [choose('ca'), choose('certificate'), choose('key')];
  if (ca === undefined || certificate === undefined || key === undefined) {
    const missing = Object.entries({ ca, certificate, key }).filter(([, value]) => value === undefined);
    throw usageError(
      `TLS needs ${missing.map(([name]) => `--${name}`).join(', ')}`,
      'the server knows its callers by their client certificate',
    );
  }
  return {
    ...place,
    security: { kind: 'tls', ca: resolve(ca), certificate: resolve(certificate), key: resolve(key) },
  };
}

/** The maximum size of a profile: four short lines, and room for comments. */
const maximumProfileBytes = 65_536;

const profileKeys = ['server', 'ca', 'certificate', 'key'] as const;
type ProfileKey = (typeof profileKeys)[number];
type Profile = Partial<Record<ProfileKey, string>>;

/** Reads a profile; its paths start at its folder. The default one may be missing, a named one may not. */
async function readProfile(named: string | undefined, directory: string): Promise<Profile> {
  const file = resolve(directory, named ?? defaultProfile);
  let text: string;
  try {
    text = await readRegularText(file, { maximumBytes: maximumProfileBytes });
  } catch (error) {
    if (!(error instanceof UnreadableFileError)) throw error;
    if (error.code === 'ENOENT' && named === undefined) return {};
    throw localError(`the profile ${error.message}`, error);
  }
  const { parse } = await import('yaml');
  return checkProfile(parseText(text, parse, file), file);
}

function parseText(text: string, parse: (text: string) => unknown, file: string): unknown {
  try {
    return parse(text);
  } catch (error) {
    throw localError(
      `the profile ${file} is not YAML: ${error instanceof Error ? error.message : String(error)}`,
      error,
    );
  }
}

function checkProfile(content: unknown, file: string): Profile {
  const known: readonly string[] = profileKeys;
  if (typeof content !== 'object' || content === null)
    throw localError(`the profile ${file} must have keys: ${known.join(', ')}`, undefined);
  const profile: Profile = {};
  for (const [name, value] of Object.entries(content)) {
    if (!known.includes(name) || typeof value !== 'string') {
      throw localError(`the profile ${file} may have only ${known.join(', ')}, as text; it has ${name}`, undefined);
    }
    profile[name as ProfileKey] = name === 'server' ? resolveServer(value, file) : resolve(dirname(file), value);
  }
  return profile;
}

function resolveServer(server: string, file: string): string {
  return server.startsWith('unix:') ? `unix:${resolve(dirname(file), server.slice('unix:'.length))}` : server;
}
