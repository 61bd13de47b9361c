import { Command, CommanderError } from 'commander';
import { addAliasCommands } from './commands/alias.js';
import { addBackupCommands } from './commands/backup.js';
import { addCatalogCommands } from './commands/catalog.js';
import { addCiphertextCommands } from './commands/ciphertext.js';
import { addClusterCommands } from './commands/cluster.js';
import { addConfigCommands } from './commands/config.js';
import { addDecryptCommand } from './commands/decrypt.js';
import { addDeletionHoldCommands } from './commands/deletion-hold.js';
import { addDoctorCommand } from './commands/doctor.js';
import { addEncryptCommand } from './commands/encrypt.js';
import { addGenerateCommands } from './commands/generate.js';
import { addHealthCommand } from './commands/health.js';
import { addKeyCommands } from './commands/key.js';
import { addKeyStoreCommands } from './commands/key-store.js';
import { addLoginAttemptsCommands } from './commands/login-attempts.js';
import { addMacCommands } from './commands/mac.js';
import { addReEncryptCommand } from './commands/re-encrypt.js';
import { addSealingKeyCommands } from './commands/sealing-key.js';
import { addServeCommand } from './commands/serve.js';
import { addStatusCommand } from './commands/status.js';
import { addTokenCommands } from './commands/token.js';
import { version } from '../version.js';
import { CliError, exitCodes, exitCodesHelp, usageError } from './exit-codes.js';
import type { Terminal } from './terminal.js';
import { writeLine, writeLines, writeText } from './terminal.js';

/** Runs one command line (without `node` and the script). @returns the exit code. Never throws. */
export async function runCli(argv: readonly string[], terminal: Terminal): Promise<number> {
  // Commander writes while it parses; its output is written in order, before ours.
  const written: Promise<void>[] = [];
  const json = wantsJson(argv);
  const program = buildProgram(terminal, (stream, text) => {
    // An error is reported once: as JSON if that is wanted.
    if (stream === 'stdout' || !json) written.push(writeText(terminal[stream], text));
  });
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return exitCodes.done;
  } catch (error) {
    if (!(error instanceof CommanderError)) return await reportError(terminal, error, json);
    if (error.exitCode === 0) return exitCodes.done;
    return json
      ? await reportError(terminal, usageError(error.message.replace(/^error: /, '')), true)
      : exitCodes.usage;
  } finally {
    await Promise.all(written);
  }
}

type Say = (stream: 'stdout' | 'stderr', text: string) => void;

function buildProgram(terminal: Terminal, say: Say): Command {
  const program = new Command('holdfast')
    .description('A key-management service with the AWS KMS API whose keys live in HSMs that you own.')
    .addHelpText('after', exitCodesHelp)
    .configureHelp({ showGlobalOptions: false })
    .showSuggestionAfterError()
    .showHelpAfterError('(--help shows examples)')
    .exitOverride()
    .configureOutput({ writeOut: (text) => say('stdout', text), writeErr: (text) => say('stderr', text) });
  program.version(version, '--version', 'print the version').helpOption('--help', 'show help').helpCommand(false);
  program.commandsGroup('Server:');
  addServeCommand(program);
  addConfigCommands(program, terminal);
  addCatalogCommands(program, terminal);
  addTokenCommands(program, terminal);
  addClusterCommands(program, terminal);
  addDoctorCommand(program, terminal);
  addLoginAttemptsCommands(program, terminal);
  addSealingKeyCommands(program, terminal);
  addBackupCommands(program, terminal);
  addDeletionHoldCommands(program, terminal);
  addHealthCommand(program, terminal);
  addStatusCommand(program, terminal);
  program.commandsGroup('Keys:');
  addKeyStoreCommands(program, terminal);
  addKeyCommands(program, terminal);
  addAliasCommands(program, terminal);
  program.commandsGroup('Cryptography:');
  addEncryptCommand(program, terminal);
  addDecryptCommand(program, terminal);
  addReEncryptCommand(program, terminal);
  addGenerateCommands(program, terminal);
  addMacCommands(program, terminal);
  addCiphertextCommands(program, terminal);
  shareSettings(program);
  return program;
}

/** Commands that were added before a setting do not inherit it. */
function shareSettings(command: Command): void {
  for (const child of command.commands) {
    child
      .copyInheritedSettings(command)
      .optionsGroup('Options:')
      .helpOption('--help', 'show help and examples')
      .helpCommand(false);
    shareSettings(child);
  }
}

/** Whether the command line asks for JSON. It must be known for errors before the options are parsed, too. */
function wantsJson(argv: readonly string[]): boolean {
  return (
    argv.includes('--output=json') || argv.some((word, index) => word === '--output' && argv[index + 1] === 'json')
  );
}

async function reportError(terminal: Terminal, thrown: unknown, json: boolean): Promise<number> {
  const error = thrown instanceof CliError ? thrown : internalError(thrown, terminal);
  const { code, message, details, hint, requestId, exitCode } = error;
  if (json) {
    await writeLine(terminal.stderr, JSON.stringify({ error: errorAsJson(error) }));
    return exitCode;
  }
  await writeLine(terminal.stderr, `error: ${code}: ${message}`);
  await writeLines(
    terminal.stderr,
    details.map((line) => `  ${line}`),
  );
  if (hint !== undefined) await writeLine(terminal.stderr, `hint: ${hint}`);
  if (requestId !== undefined) await writeLine(terminal.stderr, `request: ${requestId}`);
  return exitCode;
}

/** Programs depend on the names, as on those of `ErrorInfo.metadata`. Unknown values are left out. */
function errorAsJson({ code, message, details, hint, requestId, outlook }: CliError): Record<string, unknown> {
  return {
    code,
    message: [message, ...details].join('\n  '),
    hint,
    request_id: requestId,
    retryable: outlook.retryable,
    retry_delay_ms: outlook.retryDelayMs,
    key_state: outlook.keyState,
    caller_deadline: outlook.callerDeadline,
  };
}

/**
 * Node opens a program's files hundreds at a time: a low limit is reached before any of our checks runs. If it cannot
 * open the `package.json` of a package for that reason, it reports that it cannot find the package.
 */
function ranOutOfFiles(thrown: unknown): boolean {
  if (!(thrown instanceof Error && 'code' in thrown)) return false;
  if (thrown.code === 'EMFILE' || thrown.code === 'ENFILE') return true;
  return thrown.code === 'ERR_MODULE_NOT_FOUND' && hasFewFiles();
}

/** Whether this process may open so few files that loading the program can take all of them. */
function hasFewFiles(): boolean {
  const { userLimits } = process.report.getReport() as { userLimits?: { open_files?: { soft?: number | string } } };
  return Number(userLimits?.open_files?.soft) < 512;
}

function internalError(thrown: unknown, terminal: Terminal): CliError {
  if (ranOutOfFiles(thrown)) {
    const hint = 'raise the limit: ulimit -n 4096, or LimitNOFILE= in the systemd unit';
    return new CliError(exitCodes.local, 'OPEN_FILES', 'the limit of open files is too low', { cause: thrown, hint });
  }
  const verbose = terminal.environment['HOLDFAST_DEBUG'] !== undefined && thrown instanceof Error;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const details = verbose ? thrown.stack?.split('\n') : undefined;
  return new CliError(exitCodes.internal, 'INTERNAL', message, {
    cause: thrown,
    details,
    hint: 'HOLDFAST_DEBUG=1 shows where',
  });
}
