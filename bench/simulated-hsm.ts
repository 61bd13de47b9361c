import type { Measurement } from './measurement.js';
import type { SoftHsm } from '../test/softhsm.js';
import { type FaultHsm, putFaultsBefore } from '../test/native/fault-hsm.js';

/** The duration of every operation of the simulated HSM, in milliseconds. */
export const serviceTimeMs = 1;

/**
 * An HSM behind a network: every operation that needs a round trip takes one millisecond, and any number of them may be
 * under way at a time. It costs hardly any CPU (a toy cipher; otherwise SoftHSM's mutex would be the limit). The
 * `…Init` calls take no time: client libraries send them along with the data.
 */
export function simulateNetworkHsm(softHsm: Pick<SoftHsm, 'libraryPath' | 'environment' | 'directory'>): FaultHsm {
  const simulated = putFaultsBefore({ ...softHsm, environment: { ...softHsm.environment } }, 'simulated');
  simulated.set('builtinCipher', 1);
  simulated.obey(...['C_Encrypt', 'C_Decrypt', 'C_GenerateRandom'].map((name) => `latency ${name} ${serviceTimeMs}`));
  return simulated;
}

/** The name of the scenario with that many lanes and calls in flight. */
export function simulatedName(lanes: number, inFlight: number): string {
  return `addon-simulated-hsm-${lanes}-lanes@${inFlight}`;
}

/** Adds the time of one encryption inside the HSM, with its share of the calls that draw nonces. */
export async function withServiceTime(simulated: FaultHsm, measure: () => Promise<Measurement>): Promise<Measurement> {
  const spent = () => ({
    encryptions: simulated.calls('C_Encrypt'),
    insideMs: simulated.counts('C_Encrypt').insideMs + simulated.counts('C_GenerateRandom').insideMs,
  });
  const before = spent();
  const measurement = await measure();
  const after = spent();
  const measuredMs = (after.insideMs - before.insideMs) / (after.encryptions - before.encryptions);
  return { ...measurement, serviceTimeMs: measuredMs };
}
