import { Secret } from '../secret.js';
import { usageError } from './exit-codes.js';
import type { Terminal } from './terminal.js';
import { write } from './terminal.js';

const [interrupt, endOfInput, backspace, lineFeed, carriageReturn, eraseLine, deletion] = [
  0x03, 0x04, 0x08, 0x0a, 0x0d, 0x15, 0x7f,
];

/** Longer than any PIN or answer; what is typed beyond it is refused. */
const maximumBytes = 4_096;

/** Asks without echo. Ctrl-C ends the command, as it would with echo. @throws CliError */
export async function askSecret(terminal: Terminal, prompt: string): Promise<Secret> {
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

/** Asks with the terminal's own echo. @throws CliError */
export async function askLine(terminal: Terminal, prompt: string): Promise<string> {
  await write(terminal.stderr, prompt);
  try {
    using answer = await readLine(terminal);
    return Buffer.from(answer.reveal()).toString('utf8').trim();
  } finally {
    terminal.stdin.pause();
  }
}

/** Reads bytes, not strings: a string could not be zeroed. */
function readLine(terminal: Terminal): Promise<Secret> {
  const { stdin } = terminal;
  const typed = new TypedBytes();
  return new Promise((resolve, reject) => {
    const finish = (settle: () => void): void => {
      stdin.off('data', onData);
      stdin.off('end', onEnd);
      settle();
      typed.clear();
    };
    const onEnd = (): void => finish(() => reject(usageError('the input ended before an answer')));
    const onData = (given: Buffer | string): void => {
      const chunk = Buffer.from(given);
      const end = chunk.findIndex((byte) => byte === lineFeed || byte === carriageReturn || byte === endOfInput);
      const line = end === -1 ? chunk : chunk.subarray(0, end);
      if (line.includes(interrupt)) {
        finish(() => reject(usageError('interrupted')));
        return;
      }
      if (!typed.add(line)) {
        finish(() => reject(usageError(`more than ${maximumBytes} bytes were typed`)));
        return;
      }
      if (end === -1) return;
      finish(() => resolve(typed.take()));
      keepForNextQuestion(stdin, chunk.subarray(end + 1));
      chunk.fill(0);
    };
    stdin.on('data', onData);
    stdin.on('end', onEnd);
    stdin.resume();
  });
}

/** The answers to the next questions may have come with this one. A paused stream keeps them until it is resumed. */
function keepForNextQuestion(stdin: Terminal['stdin'], rest: Uint8Array): void {
  stdin.pause();
  if (rest.byteLength > 0) stdin.unshift(Buffer.from(rest));
}

/** A line as it is typed, with the keys that correct it. */
class TypedBytes {
  readonly #bytes = new Uint8Array(maximumBytes);
  #length = 0;

  /** @returns false if it is longer than a line may be */
  add(chunk: Uint8Array): boolean {
    for (const byte of chunk) {
      if (byte === deletion || byte === backspace) this.#dropCharacter();
      else if (byte === eraseLine) this.clear();
      else if (this.#length === maximumBytes) return false;
      else this.#bytes[this.#length++] = byte;
    }
    return true;
  }

  take(): Secret {
    return new Secret(this.#bytes.slice(0, this.#length));
  }

  clear(): void {
    this.#bytes.fill(0);
    this.#length = 0;
  }

  /** The bytes of UTF-8 after the first begin with the bits 10 (RFC 3629 §3). */
  #dropCharacter(): void {
    let last: number | undefined;
    do {
      if (this.#length === 0) return;
      this.#length -= 1;
      last = this.#bytes[this.#length];
      this.#bytes[this.#length] = 0;
    } while (last !== undefined && (last & 0xc0) === 0x80);
  }
}
