import type { LoginAttempts } from '../keystores/catalog.js';
import type { Metrics } from './metrics.js';

/**
 * Counts login attempts where they are claimed and recorded, so none is missed (invariant 7). An attempt that was
 * claimed and has no outcome died with its process, or its token never answered.
 */
export function countedLoginAttempts(attempts: LoginAttempts, metrics: Metrics | undefined): LoginAttempts {
  if (metrics === undefined) return attempts;
  const { hsmLoginAttempts, hsmLogins } = metrics.counters;
  return {
    async claim(...attempt) {
      const claim = await attempts.claim(...attempt);
      if (claim === 'claimed') hsmLoginAttempts.inc();
      if (claim === 'failed') hsmLogins.inc({ outcome: 'refused-before' });
      return claim;
    },
    async reclaim(...attempt) {
      const claim = await attempts.reclaim(...attempt);
      if (claim === 'claimed') hsmLoginAttempts.inc();
      if (claim === 'failed') hsmLogins.inc({ outcome: 'refused-before' });
      return claim;
    },
    record(serialNumber, credentialVersion, claimant, outcome) {
      hsmLogins.inc({ outcome });
      return attempts.record(serialNumber, credentialVersion, claimant, outcome);
    },
    listLoginAttempts: () => attempts.listLoginAttempts(),
    forgetLoginAttempts: (serialNumber) => attempts.forgetLoginAttempts(serialNumber),
  };
}
