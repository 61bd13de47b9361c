import { OperatorSteps } from '../operator-steps.js';
import { progressLines } from '../progress.js';
import type { Terminal } from '../terminal.js';

/** Reports what a restore does: its steps, how far it is, and failures after which it goes on. */
export class RestoreSteps extends OperatorSteps {
  readonly #onShare: (done: string) => Promise<(share: number) => void>;

  constructor(terminal: Terminal, format: 'table' | 'json') {
    super(terminal, format);
    this.#onShare = (done) => progressLines(terminal, format, done);
  }

  /** A listener for how many of all are done. */
  async progress(step: string, done: string): Promise<(progress: { done: number; total: number }) => void> {
    await this.say(step, `${step}: begins`);
    const onShare = await this.#onShare(done);
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
