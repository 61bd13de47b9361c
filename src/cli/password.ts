import type { Command } from 'commander';
import { Option } from 'commander';
import { pinProblem } from '../config/secret-content.js';
import { resolveSecret, SecretUnavailableError } from '../config/secret-source.js';
import { readStdin } from './blobs.js';
import { localError, usageError } from './exit-codes.js';
import type { Terminal } from './terminal.js';
import { write } from './terminal.js';

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
  return notEmpty(await ask(terminal, prompt));
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

/** Asks without echo. Ctrl-C ends the command, as it would with echo. */
async function ask(terminal: Terminal, prompt: string): Promise<string> {
  await write(terminal.stderr, prompt);
  terminal.stdin.setRawMode?.(true);
  try {
    return await readLine(terminal);
  } finally {
    terminal.stdin.setRawMode?.(false);
    terminal.stdin.pause();
    await write(terminal.stderr, '\n');
  }
}

function readLine(terminal: Terminal): Promise<string> {
  return new Promise((resolve, reject) => {
    let typed: string[] = [];
    const finish = (settle: () => void): void => {
      terminal.stdin.off('data', onData);
      settle();
    };
    const onData = (chunk: Buffer | string): void => {
      for (const character of chunk.toString()) {
        if (character === '\r' || character === '\n' || character === '\u0004') {
          finish(() => resolve(typed.join('')));
          return;
        }
        if (character === '\u0003') {
          finish(() => reject(usageError('interrupted')));
          return;
        }
        if (character === '\u007f' || character === '\b') typed.pop();
        else if (character === '\u0015') typed = [];
        else typed.push(character);
      }
    };
    terminal.stdin.on('data', onData);
    terminal.stdin.resume();
  });
}
