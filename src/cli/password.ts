import type { Command } from 'commander';
import { Option } from 'commander';
import { pinProblem } from '../config/secret-content.js';
import { resolveSecret, SecretUnavailableError } from '../config/secret-source.js';
import { readStdin } from './blobs.js';
import { localError, usageError } from './exit-codes.js';
import type { Terminal } from './terminal.js';
import { askSecret } from './typed-line.js';

/** The maximum that any cluster allows (`maximumPinLength`); the server knows its own limit. */
const maxPasswordLength = 255;

/** The password options as commander parses them. */
export interface PasswordOptions {
  password?: string | true;
  passwordFile?: string;
  passwordStdin?: boolean;
}

/** Adds the ways to give a password. */
export function addPasswordOptions(command: Command): Command {
  return command
    .optionsGroup('Password of the HSM user (PIN); the terminal asks for it when neither is given:')
    .option('--password-file <file>', 'read it from a file of yours (mode 0600 or stricter)')
    .option('--password-stdin', 'read it from stdin')
    .addOption(new Option('--password [value]').hideHelp().argParser(refuseArgument));
}

/** Whether an option names the source of the password. */
export function hasPasswordOption(options: PasswordOptions): boolean {
  if (options.password !== undefined) refuseArgument();
  return options.passwordFile !== undefined || options.passwordStdin === true;
}

/**
 * Reads the password; one newline at its end is not part of it. The wire requires a string.
 * @throws CliError
 */
export async function readPassword(
  terminal: Terminal,
  options: PasswordOptions,
  prompt = 'Password: ',
): Promise<string> {
  if (options.password !== undefined) refuseArgument();
  if (options.passwordFile !== undefined && options.passwordStdin === true) {
    throw usageError('--password-file and --password-stdin exclude each other');
  }
  if (options.passwordFile !== undefined) return readPasswordFile(options.passwordFile);
  if (options.passwordStdin === true)
    return notEmpty((await readStdin(terminal)).toString('utf8').replace(/\r?\n$/, ''));
  if (terminal.stdin.isTTY !== true) {
    throw usageError(
      'a password is needed, and there is no terminal to ask on',
      'use --password-file or --password-stdin',
    );
  }
  using typed = await askSecret(terminal, prompt);
  return notEmpty(Buffer.from(typed.reveal()).toString('utf8'));
}

function refuseArgument(): never {
  throw usageError(
    'a password is never taken as an argument: every user of this machine can see it, and the shell keeps it in its history',
    'use --password-file or --password-stdin, or answer the prompt; and change the password if it was a real one',
  );
}

async function readPasswordFile(path: string): Promise<string> {
  try {
    using secret = await resolveSecret({ kind: 'file', path });
    const problem = pinProblem(secret.reveal(), maxPasswordLength);
    if (problem !== undefined) throw new SecretUnavailableError(`${path} ${problem}`);
    return Buffer.from(secret.reveal()).toString('utf8');
  } catch (error) {
    if (error instanceof SecretUnavailableError) throw localError(error.message, error);
    throw error;
  }
}

function notEmpty(password: string): string {
  if (password === '') throw usageError('the password is empty');
  return password;
}
