/**
 * What happens inside, as lines of the log: one function per event. The message is the sentence that an operator searches
 * for; the fields say where. A cause is logged with its own fields and never goes to a caller (design invariant 12).
 */
import type { Logger } from 'pino';
import type { CompletionListener, IncomingCall } from '../dispatch/dispatcher.js';
import { type ErrorCode, HoldfastError } from '../errors.js';
import type { HsmEvents } from '../hsm/events.js';
import type { BackgroundErrorListener } from '../keys/core.js';
import type { UnaccountedMaterial } from '../keys/intent-recovery.js';
import type { ConnectionEvents } from '../keystores/connection-events.js';
import type { EncryptionBudgetTools } from '../operations/encryption-budget.js';

/** Key stores that connect and disconnect. */
export function connectionLog(logger: Logger): ConnectionEvents {
  return {
    connecting: (place) => logger.info({ ...place }, 'key store connecting'),
    connected: (place) => logger.info({ ...place }, 'key store connected'),
    connectFailed: (place, { errorCode, retryInMs, cause }) =>
      logger.error({ ...place, errorCode, retryInMs, err: cause }, 'key store did not connect'),
    disconnected: (place) => logger.info({ ...place }, 'key store disconnected'),
    connectionJobFailed: (customKeyStoreId, cause) =>
      logger.error({ customKeyStoreId, err: cause }, 'connection job failed'),
  };
}

/** Members, lanes and what is wrong with materials. */
export function hsmLog(logger: Logger): HsmEvents {
  return {
    memberOpened: (place, token, { name, verification }) => {
      const fields = { serialNumber: token.serialNumber, model: token.model, profile: name };
      logger.info({ ...place, ...fields, verified: verification.verified }, 'member opened');
      if (!verification.verified)
        logger.warn(
          { ...place, profile: name },
          'the vendor profile of this member is unverified: it was never run on such a device',
        );
    },
    memberOpenFailed: (place, cause) => logger.error({ ...place, err: cause }, 'member did not open'),
    memberSuspended: (place, cause) => logger.error({ ...place, err: cause }, 'member suspended'),
    memberProbeFailed: (place, cause) => logger.warn({ ...place, err: cause }, 'member probe failed'),
    memberResumed: (place) => logger.info({ ...place }, 'member resumed'),
    laneQuarantined: (place, cause) => logger.error({ ...place, err: cause }, 'lane quarantined'),
    materialAlert: (place, materialId, alert) =>
      logger.error({ ...place, materialId, alert }, 'ALERT: key material on a token is not what the catalog says'),
    lanesHung: (clusterId, laneCount) => logger.error({ clusterId, laneCount }, 'lanes still hung at close'),
  };
}

/** Materials that come to the end of the encryptions that are safe under one of them (design invariant 9). */
export function encryptionBudgetLog(logger: Logger): Pick<EncryptionBudgetTools, 'onWarning' | 'onBackgroundError'> {
  return {
    onWarning: (materialId, used, limit) => {
      const fields = { materialId, used, limit };
      if (used < limit) logger.warn(fields, 'key material has used more than half of its encryptions');
      else logger.error(fields, 'ALERT: key material has used all of its encryptions and makes no more');
    },
    onBackgroundError: backgroundErrorLog(logger),
  };
}

const operatorCodes: ReadonlySet<ErrorCode> = new Set(['KMS_INTERNAL', 'KEY_UNAVAILABLE', 'DEPENDENCY_TIMEOUT']);

/** Requests that failed: what operators must look into as errors, what callers did wrong for debugging. */
export function failureLog(logger: Logger): CompletionListener {
  return (call, error) => {
    if (error === undefined) return;
    const { requestId, method, principal, sourceAddress } = call;
    const fields = {
      requestId,
      method,
      principal: principal?.arn,
      sourceAddress,
      errorCode: error.code,
      ...tracePlace(call),
    };
    if (concernsOperator(error)) logger.error({ ...fields, err: error }, 'request failed');
    else logger.debug({ ...fields, err: error }, 'request refused');
  };
}

/** Where the request is in the traces; nothing where it is not traced. */
function tracePlace({ trace }: IncomingCall): { traceId?: string; spanId?: string } {
  return trace === undefined ? {} : { traceId: trace.traceId, spanId: trace.spanId };
}

/** Also behind a code that AWS gives to callers: the cluster of a custom key store that cannot be reached is KMS_INVALID_STATE. */
function concernsOperator(error: HoldfastError): boolean {
  if (operatorCodes.has(error.code)) return true;
  return error.cause instanceof HoldfastError && operatorCodes.has(error.cause.code);
}

/** What goes wrong where no caller is waiting. */
export function backgroundErrorLog(logger: Logger): BackgroundErrorListener {
  return (error, what) => logger.error({ err: error }, `failed: ${what}`);
}

/** Material that the catalog knows nothing of: an HSM that others use too, or a catalog that was rolled back. */
export function unaccountedMaterialLog(logger: Logger): (found: UnaccountedMaterial) => void {
  return ({ clusterId, memberName, materialIds }) =>
    logger.warn(
      { clusterId, memberName, count: materialIds.length, materialIds: materialIds.slice(0, 20) },
      'the token holds keys that the catalog knows nothing of; they were left alone',
    );
}
