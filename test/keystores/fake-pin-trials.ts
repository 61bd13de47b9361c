import type { PinTrialFailure, PinTrials } from '../../src/clusters/pin-trials.js';
import type { Secret } from '../../src/secret.js';

/** Trials that answer as the test says, and remember what they were asked. */
export class FakePinTrials implements PinTrials {
  readonly trials: { clusterId: string; pin: string; credentialVersion: string }[] = [];
  failure: PinTrialFailure | undefined;
  /** Called during a trial. */
  meanwhile: () => Promise<unknown> = () => Promise.resolve();

  async tryPin(clusterId: string, pin: Secret, credentialVersion: string): Promise<PinTrialFailure | undefined> {
    this.trials.push({ clusterId, pin: new TextDecoder().decode(pin.reveal()), credentialVersion });
    await this.meanwhile();
    return this.failure;
  }
}
