import type { Command } from 'commander';
import { Option } from 'commander';
import type { LoginAttempt } from '../../keystores/catalog.js';
import { CliError, exitCodes } from '../exit-codes.js';
import { loadForCommand, onCatalog } from '../local-configuration.js';
import { asOperator } from '../operator-audit.js';
import { printDone, printList } from '../output.js';
import type { Terminal } from '../terminal.js';
import { defaultConfigurationFile } from './config.js';

interface LoginAttemptsOptions {
  config: string;
  output: 'table' | 'json';
}

/** The meaning of each state for the next connect. */
const meanings: Record<LoginAttempt['state'], string> = {
  succeeded: 'the token accepted this credential',
  failed: 'the token refused this credential; it is not tried again until it is changed or forgotten here',
  open: 'a login is under way, or its process ended first; tried again unless the token reports a low PIN count',
};

const listExamples = `
Examples:
  holdfast login-attempts list --config /etc/holdfast/holdfast.yaml
  holdfast login-attempts list --output json | jq '.login_attempts[] | select(.state == "failed")'

Run it on the host of the service, as the service's user; the service may run meanwhile. No HSM is asked.
credential_version names a credential without revealing it: cks-…:2 is the second password that was set for that custom
key store, default:… a PIN of the default key store.`;

const forgetExamples = `
Example:
  holdfast login-attempts forget 5f8c1d2e9a3b4c6d --config /etc/holdfast/holdfast.yaml

For a token that refused a PIN which is right now: reset on the token to the one we have, or refused by a fault of the
token. Then connect: holdfast key-store disconnect and connect, or restart for the default key store.

THE RISK: the PIN is tried once more. If it is still wrong, the token counts one more failed login; after a few, often
three, it locks, and some tokens then destroy their keys. Make sure first, with the vendor's tool, that the PIN is right.
Nothing else is forgotten: an HSM that reports only one attempt left still gets no login.

Run it on the host of the service, as the service's user; holdfast login-attempts list shows the serial numbers.`;

/** `holdfast login-attempts …`. */
export function addLoginAttemptsCommands(program: Command, terminal: Terminal): void {
  const attempts = program
    .command('login-attempts')
    .description('recorded logins: PINs that tokens accepted and refused (a wrong one is tried once)');
  addList(attempts, terminal);
  addForget(attempts, terminal);
}

function addList(attempts: Command, terminal: Terminal): void {
  withOptions(attempts.command('list'))
    .description('list the last login with each credential on each token, and what it means')
    .addHelpText('after', listExamples)
    .action(async (options: LoginAttemptsOptions) => {
      const found = await onCatalog(await loadForCommand(options.config), (catalog) => catalog.listLoginAttempts());
      if (found.length === 0 && options.output === 'table')
        return printDone(terminal, options.output, 'no login was tried with this catalog');
      await printList(terminal, options.output, {
        name: 'login_attempts',
        items: found.map(described),
        columns: ['token_serial_number', 'credential_version', 'state', 'date', 'meaning'],
      });
    });
}

function addForget(attempts: Command, terminal: Terminal): void {
  withOptions(attempts.command('forget <token-serial-number>'))
    .description('allow one more try of the PINs that a token refused; the token counts a wrong one')
    .addHelpText('after', forgetExamples)
    .action(async (serialNumber: string, options: LoginAttemptsOptions) => {
      const configuration = await loadForCommand(options.config);
      const act = {
        operation: 'ForgetLoginAttempts',
        resources: [],
        parameters: { token_serial_number: serialNumber },
      } as const;
      const count = await onCatalog(configuration, (catalog) =>
        asOperator(configuration, terminal, act, () => catalog.forgetLoginAttempts(serialNumber)),
      );
      if (count === 0) {
        throw new CliError(exitCodes.checkFailed, 'NOT_FOUND', `no login on a token ${serialNumber} is recorded`, {
          hint: `holdfast login-attempts list --config ${options.config} shows the serial numbers`,
        });
      }
      const sentence =
        `forgot ${count} ${count === 1 ? 'login' : 'logins'} on token ${serialNumber}; the next connect tries the PIN, ` +
        'and the token counts a wrong one';
      await printDone(terminal, options.output, sentence, { forgotten: count });
    });
}

function withOptions(command: Command): Command {
  return command
    .option('--config <file>', 'configuration', defaultConfigurationFile)
    .addOption(new Option('--output <format>', 'how to print').choices(['table', 'json']).default('table'));
}

function described(attempt: LoginAttempt): object {
  return {
    token_serial_number: attempt.tokenSerialNumber,
    credential_version: attempt.credentialVersion,
    state: attempt.state,
    date: attempt.date.toISOString(),
    meaning: meanings[attempt.state],
  };
}
