import { UnreadableFileError } from '../regular-file.js';

/** The result of one check. */
export interface Finding {
  status: 'ok' | 'warn' | 'fail';
  /** The object of the check: `module softhsm`, `server certificate /etc/…`. */
  subject: string;
  message: string;
  /** The remedy. */
  remedy?: string | undefined;
  /**
   * The effect of a failure. `start`: `serve` refuses to start. `service`: `serve` starts, logs the finding as an
   * error, and cannot do all of its work (or is not safe) until it is fixed.
   */
  prevents?: 'start' | 'service' | undefined;
}

/** All is well. */
export function ok(subject: string, message: string): Finding {
  return { status: 'ok', subject, message };
}

/** Worth an operator's attention; it does not change the exit code of `doctor`. */
export function warn(subject: string, message: string, remedy: string): Finding {
  return { status: 'warn', subject, message, remedy };
}

/** The service cannot do all of its work, or is not safe: one of these makes `doctor` exit with 5. */
export function fail(subject: string, message: string, remedy: string): Finding {
  return { status: 'fail', subject, message, remedy, prevents: 'service' };
}

/** As `fail`, and `serve` refuses to start. */
export function refuse(subject: string, message: string, remedy: string): Finding {
  return { status: 'fail', subject, message, remedy, prevents: 'start' };
}

/** The message of any thrown value. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The remedy for an unusable file: the error's own, or else the given one. */
export function remedyOf(error: unknown, otherwise: string): string {
  return error instanceof UnreadableFileError ? (error.remedy ?? otherwise) : otherwise;
}
