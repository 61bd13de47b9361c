import type { MemberPlace } from '../hsm/events.js';
import type { EventSink } from './events.js';

/** Logs each outcome of a reload of the default key store's PIN. */
export function defaultPinEvents({ logger }: EventSink) {
  return {
    changed(clusterId: string): void {
      logger.info({ clusterId }, 'the PIN of the default key store was changed: every member accepts the new one');
    },
    caughtUp(clusterId: string): void {
      logger.info(
        { clusterId },
        'defaultKeyStore.pin names the PIN that the rotation set: the catalog gives way to it',
      );
    },
    refused(clusterId: string, error: unknown): void {
      const message = 'the PIN that defaultKeyStore.pin names now is not in use; the one before stays in use';
      logger.error({ clusterId, err: error }, message);
    },
  };
}

/** What came of reading the configuration file again (SIGHUP). */
export function configurationReloadEvents({ logger, metrics }: EventSink) {
  return {
    membersAdded(members: readonly MemberPlace[]): void {
      logger.info({ members }, 'members were added from the configuration');
      for (const { clusterId, memberName } of members) metrics?.seedMember(clusterId, memberName);
    },
    restartNeeded(changes: readonly string[]): void {
      logger.warn(
        { changes },
        'the configuration has changes that need a restart; what was loaded before stays in use',
      );
    },
    refused(error: unknown): void {
      logger.error({ err: error }, 'the configuration cannot be used; what was loaded before stays in use');
    },
  };
}
