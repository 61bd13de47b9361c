import type { ClusterConfiguration, Configuration, SecretSource } from '../../config/configuration.js';
import { pinProblem } from '../../config/secret-content.js';
import { resolveSecret, SecretUnavailableError } from '../../config/secret-source.js';
import type { Secret } from '../../secret.js';
import { localError, usageError } from '../exit-codes.js';
import type { Terminal } from '../terminal.js';
import { askSecret } from '../typed-line.js';
import type { MemberValues } from './member-values.js';
import type { SurveyedMember } from './survey.js';

/** Where the PINs of a ceremony come from, by member. What is not given is asked for. */
export interface PinOptions {
  soPinFile?: MemberValues;
  soPinCommand?: MemberValues;
  userPinFile?: MemberValues;
  skipUserCheck?: true;
}

/** The user PINs of members, by name. */
export type UserPins = ReadonlyMap<string, Secret>;

/** Longer than any token's. */
const maximumOfficerPinLength = 255;

/**
 * Refuses what could not be answered later, before anything is done.
 * @throws CliError if a PIN is to be asked for, and there is no terminal
 */
export function requirePinSources(
  terminal: Terminal,
  configuration: Configuration,
  cluster: ClusterConfiguration,
  names: readonly string[],
  options: PinOptions,
): void {
  const both = names.find((name) => options.soPinFile?.has(name) === true && options.soPinCommand?.has(name) === true);
  if (both !== undefined) throw usageError(`member ${both} has both --so-pin-file and --so-pin-command`);
  if (terminal.stdin.isTTY === true) return;
  const asked =
    options.skipUserCheck !== true && names.find((name) => isUserPinAsked(configuration, cluster, name, options));
  if (typeof asked !== 'string') return;
  throw usageError(
    `the user PIN of cluster ${cluster.name} is needed for the attacks as user, and there is no terminal to ask on`,
    `use --user-pin-file ${asked}=PATH; or --skip-user-check, which the record will name`,
  );
}

/** A recovery member has a PIN of its own, which no configuration has. */
function isUserPinAsked(
  configuration: Configuration,
  cluster: ClusterConfiguration,
  name: string,
  { userPinFile }: PinOptions,
): boolean {
  const isKnown = !isForRecovery(cluster, name) && configuredUserPin(configuration, cluster) !== undefined;
  return !isKnown && userPinFile?.has(name) !== true;
}

function isForRecovery({ recoveryMembers }: ClusterConfiguration, name: string): boolean {
  return recoveryMembers.some((member) => member.name === name);
}

/**
 * Refuses a member if the PIN of whoever makes its keys could not be asked for. Only its token shows who that is.
 * @throws CliError
 */
export function requireMakerPinSources(
  terminal: Terminal,
  configuration: Configuration,
  cluster: ClusterConfiguration,
  members: readonly Pick<SurveyedMember, 'name' | 'native'>[],
  options: PinOptions,
): void {
  if (terminal.stdin.isTTY === true) return;
  const { soPinFile, soPinCommand } = options;
  const user = members.find(
    ({ name, native }) => native.maker !== 'officer' && isUserPinAsked(configuration, cluster, name, options),
  )?.name;
  if (user !== undefined)
    throw usageError(
      `the user PIN of member ${user} is needed to make its keys, and there is no terminal to ask on`,
      `use --user-pin-file ${user}=PATH`,
    );
  const without = members.find(
    ({ name, native }) =>
      native.maker === 'officer' && soPinFile?.has(name) !== true && soPinCommand?.has(name) !== true,
  )?.name;
  if (without === undefined) return;
  throw usageError(
    `the SO PIN of member ${without} is needed, and there is no terminal to ask on`,
    `use --so-pin-file ${without}=PATH or --so-pin-command ${without}=COMMAND`,
  );
}

/**
 * The PIN of whoever makes the keys of each member, in order: the officer's is asked for or read, the user's is known.
 * The caller destroys them. @throws CliError
 */
export async function readMakerPins(
  terminal: Terminal,
  members: readonly SurveyedMember[],
  userPins: UserPins,
  { soPinFile, soPinCommand }: PinOptions,
): Promise<Secret[]> {
  const pins: Secret[] = [];
  try {
    for (const { name, token, native } of members) {
      const userPin = native.maker === 'officer' ? undefined : userPins.get(name);
      if (userPin !== undefined) {
        pins.push(userPin.share());
        continue;
      }
      const [file, command] = [soPinFile?.get(name), soPinCommand?.get(name)];
      if (file !== undefined) pins.push(await readPin({ kind: 'file', path: file }, maximumOfficerPinLength));
      else if (command !== undefined) pins.push(await readPin(shell(command), maximumOfficerPinLength));
      else
        pins.push(await askPin(terminal, `SO PIN of member ${name} (token ${token.label}, ${token.serialNumber}): `));
    }
    return pins;
  } catch (error) {
    for (const pin of pins) pin.destroy();
    throw error;
  }
}

/**
 * The user PINs: a member's file, the default key store's PIN, or one that is asked for, once for all others; once for each
 * recovery member, whose PIN is another one. Of all members; without the attacks as user, of those whose user makes the keys.
 */
export async function readUserPins(
  terminal: Terminal,
  configuration: Configuration,
  cluster: ClusterConfiguration,
  members: readonly SurveyedMember[],
  { userPinFile, skipUserCheck }: PinOptions,
): Promise<UserPins> {
  const needed = members.filter(({ native }) => skipUserCheck !== true || native.maker !== 'officer');
  const pins = new Map<string, Secret>();
  try {
    for (const { name } of needed) {
      const path = userPinFile?.get(name);
      if (path !== undefined) pins.set(name, await readPin({ kind: 'file', path }, cluster.maximumPinLength));
    }
    const lacking = needed.filter(({ name }) => !pins.has(name));
    for (const { name } of lacking.filter((member) => isForRecovery(cluster, member.name)))
      pins.set(name, await askPin(terminal, `User PIN of recovery member ${name}: `));
    const others = lacking.filter(({ name }) => !isForRecovery(cluster, name));
    if (others.length === 0) return pins;
    using shared = await sharedUserPin(terminal, configuration, cluster);
    for (const { name } of others) pins.set(name, shared.share());
    return pins;
  } catch (error) {
    destroyPins(pins);
    throw error;
  }
}

/** The user PIN that the configuration has for this cluster. */
function configuredUserPin({ defaultKeyStore }: Configuration, { id }: ClusterConfiguration): SecretSource | undefined {
  return defaultKeyStore?.cluster === id ? defaultKeyStore.pin : undefined;
}

/** Zeroes them. */
export function destroyPins(pins: UserPins): void {
  for (const pin of pins.values()) pin.destroy();
}

async function sharedUserPin(
  terminal: Terminal,
  configuration: Configuration,
  cluster: ClusterConfiguration,
): Promise<Secret> {
  const source = configuredUserPin(configuration, cluster);
  if (source !== undefined) return readPin(source, cluster.maximumPinLength, { ...terminal.environment });
  return askPin(terminal, `User PIN of the tokens of cluster ${cluster.name}: `);
}

/** The operator's own shell reads it, as it read the command line. Its output is a pipe, never an argument. */
function shell(command: string): SecretSource {
  return { kind: 'command', argv: ['/bin/sh', '-c', command] };
}

async function askPin(terminal: Terminal, prompt: string): Promise<Secret> {
  return checked(await askSecret(terminal, prompt), 'the PIN', maximumOfficerPinLength);
}

/** Reads a PIN, and checks that it can be one. @throws CliError, without the PIN */
export async function readPin(
  source: SecretSource,
  maximumLength: number,
  environment?: NodeJS.ProcessEnv,
): Promise<Secret> {
  try {
    return checked(await resolveSecret(source, environment), nameOf(source), maximumLength);
  } catch (error) {
    if (error instanceof SecretUnavailableError) throw localError(error.message, error);
    throw error;
  }
}

function nameOf(source: SecretSource): string {
  if (source.kind === 'file') return source.path;
  return source.kind === 'env' ? `the environment variable ${source.name}` : 'the output of the command';
}

function checked(pin: Secret, origin: string, maximumLength: number): Secret {
  const problem = pin.byteLength === 0 ? 'is empty' : pinProblem(pin.reveal(), maximumLength);
  if (problem === undefined) return pin;
  pin.destroy();
  throw localError(`${origin} ${problem}`, undefined);
}
