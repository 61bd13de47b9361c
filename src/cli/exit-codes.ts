/** The exit codes of `holdfast`. Scripts may rely on them. */
export const exitCodes = {
  /** Done. */
  done: 0,
  /** The server answered and refused: the error's code says why. */
  refused: 1,
  /** The command line is wrong. Nothing was sent to the server. */
  usage: 2,
  /** No answer: the server cannot be reached, is not trusted, does not trust the client, or took too long. */
  unreachable: 3,
  /** A local file cannot be read or written, or has the wrong content; or the service cannot start. */
  local: 4,
  /**
   * A check found a problem (`config check`, `doctor`), `status` found that callers are refused, `health` NOT_SERVING,
   * or `--wait` ended in another state.
   */
  checkFailed: 5,
  /** `status`: the server serves, and something needs attention. */
  degraded: 6,
  /** A ceremony waits for an officer to mark keys; run the command again afterwards. */
  waiting: 7,
  /** An internal error of the command, or a PKCS#11 module that ended its process (`native/src/module_exit.cc`). */
  internal: 70,
  /** `serve`: an HSM is stuck in this process and nothing serves; start another process (EX_TEMPFAIL of sysexits.h). */
  replace: 75,
} as const;

/** The only codes a `CliError` can end the command with. */
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** The section of `holdfast --help` about exit codes. */
export const exitCodesHelp = `
Exit codes:
  0  done                      3  no answer (not reachable, not trusted, too slow)
  1  the server said no        4  a file on this side cannot be read or written
  2  the command line is wrong 5  a check found something wrong
  6  status: it serves, and something needs attention
  7  a ceremony waits until an officer has marked keys
  70 a fault of the command    75 serve: an HSM is stuck, start the service again`;

/** The optional parts of an error besides code and message. */
export interface CliErrorOptions {
  /** The remedy. */
  hint?: string | undefined;
  /** More lines of the message. */
  details?: readonly string[] | undefined;
  /** The server's id of the request, which its log and audit log contain. */
  requestId?: string | undefined;
  outlook?: ErrorOutlook | undefined;
  cause?: unknown;
}

/** The server's advice on a retry, for programs. Unknown parts are left out. */
export interface ErrorOutlook {
  retryable?: boolean | undefined;
  retryDelayMs?: number | undefined;
  /** A value of the enum `KeyState`, e.g. `KEY_STATE_DISABLED`. */
  keyState?: string | undefined;
  callerDeadline?: boolean | undefined;
}

/** An error that ends the command: `error: CODE: message` on stderr, and this exit code. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly exitCode: ExitCode;
  readonly code: string;
  readonly hint: string | undefined;
  readonly details: readonly string[];
  readonly requestId: string | undefined;
  readonly outlook: ErrorOutlook;

  constructor(exitCode: ExitCode, code: string, message: string, options: CliErrorOptions = {}) {
    super(message, { cause: options.cause });
    this.exitCode = exitCode;
    this.code = code;
    this.hint = options.hint;
    this.details = options.details ?? [];
    this.requestId = options.requestId;
    this.outlook = options.outlook ?? {};
  }
}

/** A wrong command line. */
export function usageError(message: string, hint?: string): CliError {
  return new CliError(exitCodes.usage, 'USAGE', message, { hint });
}

/** A problem with a local file. */
export function localError(message: string, cause: unknown, hint?: string): CliError {
  return new CliError(exitCodes.local, 'LOCAL_FILE', message, { cause, hint });
}
