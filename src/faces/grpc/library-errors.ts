import { type ServerInterceptingCallInterface, status } from '@grpc/grpc-js';
import { HoldfastError } from '../../errors.js';
import { detailsHeader, toCallError } from './errors.js';

/** grpc-js does not export this type by name. */
type CallStatus = Parameters<ServerInterceptingCallInterface['sendStatus']>[0];

/**
 * grpc-js answers some requests itself: those whose bytes it cannot read, or whose deadline has passed. These answers
 * get the same ErrorInfo as ours: a client needs only one way to read errors.
 * @param call its `sendStatus` is replaced: grpc-js sends its own statuses through it too
 */
export function explainEveryError(call: ServerInterceptingCallInterface): void {
  const sendStatus = call.sendStatus.bind(call);
  call.sendStatus = (answer) => {
    sendStatus(withErrorInfo(answer));
  };
}

function withErrorInfo(answer: CallStatus): CallStatus {
  if (answer.code === status.OK || (answer.metadata?.get(detailsHeader) ?? []).length > 0) return answer;
  const error = errorOf(answer.code, answer.details);
  return error === undefined ? answer : toCallError(error, undefined);
}

/** @returns undefined for a status that neither grpc-js nor health uses */
function errorOf(code: status, details: string): HoldfastError | undefined {
  switch (code) {
    case status.UNIMPLEMENTED:
      return new HoldfastError('UNSUPPORTED_OPERATION', details);
    case status.RESOURCE_EXHAUSTED:
      return new HoldfastError('LIMIT_EXCEEDED', details, { retryable: false });
    case status.DEADLINE_EXCEEDED:
      return new HoldfastError('DEPENDENCY_TIMEOUT', details, { callerDeadline: true });
    // Health answers so for an unknown service.
    case status.NOT_FOUND:
      return new HoldfastError('NOT_FOUND', details);
    case status.CANCELLED:
      return new HoldfastError('CANCELLED', details);
    // An answer without details came from grpc-js, before our handler had the request: its timeout is unreadable, or it
    // is not a message of health or reflection.
    case status.INTERNAL:
      return new HoldfastError('VALIDATION', details);
    default:
      return undefined;
  }
}
