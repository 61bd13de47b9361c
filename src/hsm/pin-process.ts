/** Tries a PIN on a token in a short-lived process of its own, and reads what that process says. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Clock, ScheduledTask } from '../clock.js';
import type { Secret } from '../secret.js';
import type { AttemptedToken } from './member-open-error.js';
import type { NativeFailure, NativeFailureKind, NativeMemberOptions } from './native.js';

/** Built beside the addon (`native/src/token_pin_main.cc`). */
const program = fileURLToPath(new URL('../../native/build/Release/token-pin', import.meta.url));

/** How long the process may take to close its session and the module. */
const closeTimeoutMs = 1_000;

/** The token of a member, and how to reach it. */
export type TokenPlace = Pick<NativeMemberOptions, 'module' | 'tokenLabel' | 'tokenSerialNumber'>;

/**
 * A process that has found the token and waits for the PIN. The PIN reaches it through a pipe only. It is killed at the
 * deadline, and ends with this process.
 */
export class PinProcess {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string, unknown>;
  readonly #clock: Clock;
  readonly #ended: Promise<void>;
  readonly #kill: ScheduledTask;
  readonly #name: string;
  #isTrying = false;
  #wasKilled = false;

  private constructor(place: TokenPlace, clock: Clock, deadlineMs: number) {
    const { module, tokenLabel, tokenSerialNumber } = place;
    const [kind, name] =
      tokenSerialNumber === null ? ['label', tokenLabel ?? ''] : ['serial-number', tokenSerialNumber];
    const more = module.initializationString === null ? [] : [module.initializationString];
    this.#name = name;
    this.#clock = clock;
    this.#child = spawn(program, [module.libraryPath, kind, name, ...more], {
      stdio: ['pipe', 'pipe', 'ignore'],
      env: { ...process.env, ...module.environment },
    });
    // The end of its output shows that it could not be started, or did not read its input.
    this.#ended = new Promise((resolve) => {
      this.#child.once('exit', () => resolve());
      this.#child.once('error', () => resolve());
    });
    this.#child.stdin?.on('error', () => undefined);
    const output = this.#child.stdout;
    if (output === null) throw new Error('The process has no output.');
    this.#lines = createInterface({ input: output })[Symbol.asyncIterator]();
    this.#kill = clock.schedule(Math.max(0, deadlineMs - clock.monotonicMs()), () => {
      this.#wasKilled = true;
      this.#child.kill('SIGKILL');
    });
  }

  /** Starts the process. Resolves with it when it has found the token. Rejects with a NativeFailure. */
  static async find(
    place: TokenPlace,
    clock: Clock,
    deadlineMs: number,
  ): Promise<{ process: PinProcess; token: AttemptedToken }> {
    const process = new PinProcess(place, clock, deadlineMs);
    try {
      const [, flags = '', serialNumber = ''] = await process.#expect(/^token (\d+) (.*)$/);
      const label = place.tokenLabel ?? serialNumber;
      return { process, token: { label, serialNumber, flags: Number(flags) } };
    } catch (error) {
      await process.end();
      throw error;
    }
  }

  /** Has it log in once with this PIN. Resolves if the token accepted it. Rejects with a NativeFailure. */
  async tryPin(pin: Secret): Promise<void> {
    this.#write(pin);
    this.#child.stdin?.end();
    await this.#accepted();
  }

  /** Has it log in once with the present PIN, and wait for the new one. Rejects with a NativeFailure. */
  async startChange(present: Secret): Promise<void> {
    this.#write(present);
    this.#child.stdin?.write(Uint8Array.of(0));
    await this.#accepted();
  }

  /** Has it set the new PIN. Resolves when the token has answered CKR_OK to C_SetPIN. Rejects with a NativeFailure. */
  async finishChange(next: Secret): Promise<void> {
    this.#write(next);
    this.#child.stdin?.end();
    await this.#expect(/^changing$/);
    await this.#expect(/^changed$/);
  }

  /** Through memory of its own: a pooled buffer would keep the bytes. */
  #write(pin: Secret): void {
    const copy = Buffer.allocUnsafeSlow(pin.byteLength);
    copy.set(pin.reveal());
    this.#child.stdin?.write(copy, () => copy.fill(0));
  }

  async #accepted(): Promise<void> {
    await this.#expect(/^trying$/);
    this.#isTrying = true;
    await this.#expect(/^accepted$/);
  }

  /** Resolves when the process has ended: it closes its session and the module, and is killed if that takes long. */
  async end(): Promise<void> {
    this.#kill.cancel();
    this.#child.stdin?.end();
    const late = this.#clock.schedule(closeTimeoutMs, () => this.#child.kill('SIGKILL'));
    await this.#ended;
    late.cancel();
  }

  async #expect(pattern: RegExp): Promise<RegExpExecArray> {
    const next: IteratorResult<string, unknown> = await this.#lines.next();
    if (next.done === true) throw this.#silence();
    const { value } = next;
    const found = pattern.exec(value);
    if (found !== null) return found;
    throw failureIn(value, this.#name);
  }

  /** A `lane-deadline` says that the token may have judged the PIN, a `queue-deadline` that it has not seen it. */
  #silence(): NativeFailure {
    const how = this.#wasKilled ? 'hung' : 'ended without an answer';
    const when = this.#isTrying ? 'during the login' : 'before the login';
    const kind = this.#isTrying ? 'lane-deadline' : 'queue-deadline';
    return nativeFailure(kind, `The process that tries the PIN on token '${this.#name}' ${how} ${when}.`);
  }
}

function failureIn(line: string, tokenName: string): NativeFailure {
  const [, functionName = '', returned = '', text = ''] = /^rv (\w+) (\d+) (.*)$/.exec(line) ?? [];
  if (functionName !== '') return nativeFailure('rv', text, functionName, Number(returned));
  const [, kind = 'module', said = `said nothing that is known about token '${tokenName}'`] =
    /^failure ([\w-]+) (.*)$/.exec(line) ?? [];
  return nativeFailure(kind as NativeFailureKind, said);
}

function nativeFailure(kind: NativeFailureKind, message: string, functionName = '', returned = 0): NativeFailure {
  const rest = { callerFault: false, hsmCleared: false, isOfUse: false, member: -1, epoch: 0 };
  return Object.assign(new Error(message), { kind, functionName, rv: returned, ...rest });
}
