import type { SecretSource } from '../../config/configuration.js';
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
}

/** Longer than any token's. */
const maximumOfficerPinLength = 255;

/**
 * Refuses what could not be answered later, before anything is done.
 * @throws CliError if a PIN is to be asked for, and there is no terminal
 */
export function requirePinSources(terminal: Terminal, names: readonly string[], options: PinOptions): void {
  const both = names.find((name) => options.soPinFile?.has(name) === true && options.soPinCommand?.has(name) === true);
  if (both !== undefined) throw usageError(`member ${both} has both --so-pin-file and --so-pin-command`);
  if (terminal.stdin.isTTY === true) return;
  const without = names.find(
    (name) => options.soPinFile?.has(name) !== true && options.soPinCommand?.has(name) !== true,
  );
  if (without === undefined) return;
  throw usageError(
    `the SO PIN of member ${without} is needed, and there is no terminal to ask on`,
    `use --so-pin-file ${without}=PATH or --so-pin-command ${without}=COMMAND`,
  );
}

/** Asks for or reads the SO PIN of each member, in order. The caller destroys them. @throws CliError */
export async function readOfficerPins(
  terminal: Terminal,
  members: readonly SurveyedMember[],
  { soPinFile, soPinCommand }: PinOptions,
): Promise<Secret[]> {
  const pins: Secret[] = [];
  try {
    for (const { name, token } of members) {
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

/** The operator's own shell reads it, as it read the command line. Its output is a pipe, never an argument. */
function shell(command: string): SecretSource {
  return { kind: 'command', argv: ['/bin/sh', '-c', command] };
}

async function askPin(terminal: Terminal, prompt: string): Promise<Secret> {
  return checked(await askSecret(terminal, prompt), 'the PIN', maximumOfficerPinLength);
}

async function readPin(source: SecretSource, maximumLength: number): Promise<Secret> {
  try {
    return checked(await resolveSecret(source), nameOf(source), maximumLength);
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
