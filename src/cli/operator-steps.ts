import { printableJsonLine } from '../printable.js';
import type { Terminal } from './terminal.js';
import { write, writeLine } from './terminal.js';

/** Reports what an operator's command does, on stderr: a sentence for people, or a line of JSON for programs. */
export class OperatorSteps {
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
}
