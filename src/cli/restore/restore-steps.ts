import { printableJsonLine } from '../../printable.js';
import { progressLines } from '../progress.js';
import type { Terminal } from '../terminal.js';
import { write, writeLine } from '../terminal.js';

/** Reports what a restore does, on stderr: sentences and shares for people, or lines of JSON for programs. */
export class RestoreSteps {
  readonly #terminal: Terminal;
  readonly #format: 'table' | 'json';

  constructor(terminal: Terminal, format: 'table' | 'json') {
    this.#terminal = terminal;
    this.#format = format;
  }

  /** @param step a stable name for programs. @param fields its facts, for programs */
  async say(step: string, sentence: string, fields: object = {}): Promise<void> {
    const { stderr } = this.#terminal;
    if (this.#format === 'table') return writeLine(stderr, sentence);
    return write(stderr, `${printableJsonLine({ step, ...fields })}\n`);
  }

  /** A listener for how many of all are done. */
  async progress(step: string, done: string): Promise<(progress: { done: number; total: number }) => void> {
    await this.say(step, `${step}: begins`);
    const onShare = await progressLines(this.#terminal, this.#format, done);
    return (progress) => {
      onShare(progress.total === 0 ? 1 : progress.done / progress.total);
    };
  }

  /** Reports a failure after which the work goes on. */
  readonly failed = (error: unknown, what: string): void => {
    const message = error instanceof Error ? error.message : String(error);
    void this.say('failed', `${what}: ${message}`, { what, message });
  };
}
