/** Opens the members of a connecting cluster: one proves the PIN, then the others follow together. */
import type { HsmEvents } from './events.js';
import { MemberOpenError } from './member-open-error.js';
import type { Member } from './member.js';
import { TokenTakenError } from './token-owners.js';
import { CatalogRolledBackError } from './witnesses.js';

/**
 * Resolves once at least one member is open and every other one had its chance; those that failed keep trying. They are
 * opened one after the other until one is open: a wrong PIN is tried on one member only. Then the others follow at
 * once: a hanging one costs no other its time.
 * @throws MemberOpenError if none opens: the first reason that needs an operator, or else the first one. Also thrown if one
 *   opens and another shares its token, or one with a member of another cluster: the members that serve would not be the configured ones.
 *   The same if the catalog does not follow the witness of a member. INSUFFICIENT_CLOUDHSM_HSMS if fewer open than `atLeast`.
 */
export async function openMembers(
  members: readonly Member[],
  deadlineMs: number,
  events: Pick<HsmEvents, 'memberOpenFailed'>,
  atLeast = 1,
): Promise<void> {
  const failures = new Map<Member, Error>();
  let proven = -1;
  for (const [position, member] of members.entries()) {
    // Refused by a token some time ago: the others are tried only if they are on record as having accepted the PIN.
    const wasRefused = [...failures.values()].some(isRefusal);
    const failure = await failureOf(member.open(deadlineMs, wasRefused));
    if (failure === undefined) {
      proven = position;
      break;
    }
    failures.set(member, failure);
    events.memberOpenFailed(member.place, failure);
    if (!(failure instanceof MemberOpenError) || failure.tokenRefusedPin) throw failure;
    if (isOfCluster(failure)) throw failure;
  }
  if (proven < 0) throw worstOf([...failures.values()]);
  const others = members.slice(proven + 1);
  await Promise.all(
    others.map(async (member) => {
      const failure = await failureOf(member.open(deadlineMs, false));
      if (failure === undefined) return;
      failures.set(member, failure);
      events.memberOpenFailed(member.place, failure);
    }),
  );
  for (const failure of failures.values()) if (isOfCluster(failure)) throw failure;
  const openCount = members.length - failures.size;
  if (openCount < atLeast) throw tooFew(openCount, atLeast, [...failures.values()]);
  for (const [member, failure] of failures) member.keepTrying(failure);
}

/** AWS KMS API Reference, ConnectionErrorCode: the cluster has fewer active HSMs than the connection needs. */
function tooFew(openCount: number, atLeast: number, failures: readonly Error[]): MemberOpenError {
  const message = `The cluster needs ${atLeast} members, and ${openCount} could be opened.`;
  return new MemberOpenError('INSUFFICIENT_CLOUDHSM_HSMS', true, message, { cause: worstOf(failures) });
}

async function failureOf(work: Promise<void>): Promise<Error | undefined> {
  try {
    await work;
    return undefined;
  } catch (error) {
    return error instanceof Error ? error : new Error('A member did not open.', { cause: error });
  }
}

/** Whether it means that no member may serve. */
function isOfCluster(failure: Error): boolean {
  return failure instanceof TokenTakenError || failure instanceof CatalogRolledBackError;
}

function isRefusal(failure: Error): boolean {
  return failure instanceof MemberOpenError && failure.errorCode === 'INVALID_CREDENTIALS';
}

function worstOf(failures: readonly Error[]): Error {
  const lasting = failures.find((failure) => !(failure instanceof MemberOpenError) || !failure.transient);
  return (
    lasting ??
    failures[0] ??
    new MemberOpenError('INTERNAL_ERROR', false, 'No member of the cluster is in service: `holdfast cluster resume`.')
  );
}
