import { resolve } from 'node:path';
import type { Command } from 'commander';
import { InvalidArgumentError, Option } from 'commander';
import { pathVariables } from '../../config/resolve.js';
import type { TokenInfo } from '../../hsm/token-list.js';
import { CliError, exitCodes } from '../exit-codes.js';
import { parseSeconds } from '../number-option.js';
import type { Terminal } from '../terminal.js';
import { writeJson, writeLine, writeLines } from '../terminal.js';

interface TokenListOptions {
  env: ReadonlyMap<string, string>;
  initializationString?: string;
  timeout: number;
  output: 'table' | 'json';
}

const examples = `
Examples:
  holdfast token list /usr/lib/softhsm/libsofthsm2.so --env SOFTHSM2_CONF=softhsm2.conf
  holdfast token list /opt/cloudhsm/lib/libcloudhsm_pkcs11.so --output json

Nothing is changed, and there is no login. What the shell sets for a module (such as SOFTHSM2_CONF) applies too, and is
repeated in the lines for the configuration: the service takes nothing of that kind from its own environment.`;

/** `holdfast token …`. */
export function addTokenCommands(program: Command, terminal: Terminal): void {
  const token = program.command('token').description('the tokens in the slots of a PKCS#11 module');
  token
    .command('list <module-path>')
    .description('list the tokens of a module, and the configuration lines that would use them')
    .option(
      '--env <name=value>',
      'environment variable for the module; repeatable',
      collectVariable,
      new Map<string, string>(),
    )
    .option('--initialization-string <text>', 'the string that the module wants at C_Initialize (NSS needs one)')
    .addOption(new Option('--timeout <seconds>', 'maximum time for the module').argParser(parseSeconds).default(30))
    .addOption(new Option('--output <format>', 'how to print').choices(['table', 'json']).default('table'))
    .addHelpText('after', examples)
    .action(async (modulePath: string, options: TokenListOptions) => {
      await listAndPrint(terminal, resolve(modulePath), options);
    });
}

function collectVariable(text: string, before: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const separator = text.indexOf('=');
  if (separator < 1) throw new InvalidArgumentError('Must be name=value.');
  return new Map(before).set(text.slice(0, separator), text.slice(separator + 1));
}

async function listAndPrint(terminal: Terminal, libraryPath: string, options: TokenListOptions): Promise<void> {
  const tokens = await readTokens(libraryPath, options);
  const description = await import('../token-description.js');
  const { detectProfile } = await import('../../hsm/profiles/profiles.js');
  const { describeProfile } = await import('../../hsm/profiles/describe-profile.js');
  if (options.output === 'json') {
    const items = tokens.map((token) => ({
      label: token.label,
      serial_number: token.serialNumber,
      manufacturer: token.manufacturer,
      model: token.model,
      firmware_version: token.firmwareVersion,
      library: `${token.libraryManufacturer}: ${token.libraryDescription} ${token.libraryVersion}`,
      profile: detectProfile(token).name,
      profile_verified: detectProfile(token).verification.verified,
      slot_id: String(token.slotId),
      flags: description.flagsOf(token),
      mechanisms: description.mechanismsOf(token),
      missing_mechanisms: description.missingMechanisms(token),
      obstacles: description.obstaclesOf(token),
    }));
    return writeJson(terminal.stdout, { tokens: items });
  }
  if (tokens.length === 0) return writeLine(terminal.stdout, 'The module works, and no slot has a token.');
  for (const token of tokens) {
    const rows = [
      ['label', token.label === '' ? '(none: the token is not initialised)' : token.label],
      ['serial number', token.serialNumber],
      ['manufacturer', token.manufacturer],
      ['model', `${token.model}, firmware ${token.firmwareVersion}`],
      ['library', `${token.libraryManufacturer}: ${token.libraryDescription} ${token.libraryVersion}`],
      ['profile', describeProfile(detectProfile(token))],
      ['flags', description.flagsOf(token).join(', ')],
      ['mechanisms', description.mechanismsOf(token).join(', ')],
      ['usable', usability(description.obstaclesOf(token))],
    ] as const;
    for (const [name, value] of rows) await writeLine(terminal.stdout, `${name.padEnd(15)}${value}`);
    await writeLine(terminal.stdout, '');
  }
  await writeLines(terminal.stdout, await configurationLines(libraryPath, options, tokens));
}

function usability(obstacles: readonly string[]): string {
  return obstacles.length === 0 ? 'yes' : `no: ${obstacles.join('; ')}`;
}

async function readTokens(libraryPath: string, options: TokenListOptions): Promise<TokenInfo[]> {
  const { listTokens } = await import('../../hsm/token-list.js');
  const { defaultLockDirectory } = await import('../../config/resolve.js');
  const { systemClock } = await import('../../clock-system.js');
  const module = {
    libraryPath,
    privateInstance: false,
    environment: moduleEnvironment(options),
    initializationString: options.initializationString ?? null,
  };
  try {
    return await listTokens(module, defaultLockDirectory(), systemClock.monotonicMs() + options.timeout * 1_000);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new CliError(exitCodes.checkFailed, 'MODULE', `${libraryPath} cannot be used: ${message}`, {
      cause: error,
      hint: 'is it a PKCS#11 library for this machine, and are its configuration file and device reachable?',
    });
  }
}

/** A path after `--env` is relative to the working directory, as the shell sees it. */
function absoluteIfPath(name: string, value: string): string {
  return pathVariables.has(name) || /^\.{1,2}\//.test(value) ? resolve(value) : value;
}

/** The module's environment: the shell's variables, overridden by `--env`. */
function moduleEnvironment({ env }: TokenListOptions): Record<string, string> {
  const inherited = [...pathVariables].flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  return Object.fromEntries([...inherited, ...env].map(([name, value]) => [name, absoluteIfPath(name, value)]));
}

/** The configuration lines for these tokens: YAML that `config check` accepts, up to the certificate. */
async function configurationLines(
  libraryPath: string,
  options: TokenListOptions,
  tokens: readonly TokenInfo[],
): Promise<string[]> {
  const { stringify } = await import('yaml');
  const { newClusterId } = await import('../../config/new-id.js');
  const { obstaclesOf } = await import('../token-description.js');
  const usable = tokens.filter((token) => obstaclesOf(token).length === 0);
  if (usable.length === 0)
    return [
      'No token here can be a member: initialise one with a user PIN, or bring one that has the mechanisms. If there should be',
      'one, does the module find its own configuration? --env NAME=value sets what it looks for.',
    ];
  const labels = usable.map(({ label }) => label);
  const environment = moduleEnvironment(options);
  const module = {
    path: libraryPath,
    ...(Object.keys(environment).length === 0 ? {} : { environment }),
    ...(options.initializationString === undefined ? {} : { initializationString: options.initializationString }),
  };
  const clusters = usable.map((token, index) => ({
    id: newClusterId(),
    name: `cluster-${index + 1}`,
    trustAnchorCertificate: 'anchor.pem',
    replication: 'none',
    minimumMembers: 1,
    members: [
      {
        name: 'a',
        module: 'hsm',
        // Labels need not be unique; serial numbers are.
        ...(labels.filter((label) => label === token.label).length === 1
          ? { tokenLabel: token.label }
          : { tokenSerialNumber: token.serialNumber }),
      },
    ],
  }));
  const yaml = stringify({ modules: { hsm: module }, clusters }).trimEnd();
  return ['# For holdfast.yaml (holdfast config print-example explains each line):', ...yaml.split('\n')];
}
