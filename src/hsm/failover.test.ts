import { beforeEach, describe, expect, test } from 'vitest';
import { ManualClock } from '../../test/manual-clock.js';
import { RequestCancellation } from '../calls/cancellation.js';
import type { EncryptedData } from '../clusters/hsm-cluster.js';
import { HoldfastError } from '../errors.js';
import type { HsmEvents } from './events.js';
import type { Member } from './member.js';
import { loadAddon, type NativeFailure, type NativeMembers } from './native.js';
import { Answer } from './answers.js';
import type { RepeatableOperation } from './data-operations.js';
import { Failover, type FailoverTools } from './failover.js';
import { answerRowLength } from './native-answers.js';
import { readReturnValues } from './return-values.js';
import { MemberSet } from './member-set.js';
import { MissingCopies } from './missing-copies.js';

/** The target of each attempt, null for the pool's choice among all members; and its deadline. */
interface Asked {
  member: NativeMembers;
  untilMs: number;
}

/** The end of an attempt: a failure, or an answer of this member. */
type Ending = { fails: Partial<NativeFailure>; afterMs?: number } | { answers: number };

const requestMs = 1_000;
const operationTimeoutMs = 10_000;
const sessionHandleInvalid = 0xb3;
const deviceError = 0x30;

let clock: ManualClock;
let members: (Member & { isAdmitted: boolean; failures: NativeFailure[] })[];
let asked: Asked[];
let spent: number;
let cancelled: number[];
/** Whether the budget can be spent without waiting; otherwise `spend` is called. */
let mayTrySpend: boolean;
let spend: () => Promise<void>;
/** Of a wrapped cluster; undefined: every member has every key. */
let missing: MissingCopies | undefined;
let alerts: string[];

beforeEach(() => {
  clock = new ManualClock();
  members = [0, 1, 2].map(fakeMember);
  asked = [];
  spent = 0;
  cancelled = [];
  mayTrySpend = true;
  missing = undefined;
  alerts = [];
  spend = () => Promise.reject(new Error('not asked'));
});

function fakeMember(index: number): (typeof members)[number] {
  const failures: NativeFailure[] = [];
  const fake = {
    index,
    place: { clusterId: 'cluster-1', memberName: `m${index}` },
    isAdmitted: true,
    outlook: { returns: true, inMs: 0 },
    failures,
    recordSuccess: () => undefined,
    recordFailure: (failure: NativeFailure) => failures.push(failure),
  };
  return fake as unknown as (typeof members)[number];
}

function failure(change: Partial<NativeFailure>): NativeFailure {
  const base = {
    kind: 'rv',
    rv: deviceError,
    functionName: 'C_Encrypt',
    callerFault: false,
    hsmCleared: false,
    isOfUse: true,
    member: 0,
    epoch: 1,
  } as const;
  return Object.assign(new Error('a failure'), base, change);
}

/** Runs an encryption whose attempts end in turn as `endings` say. @returns the answer, or the error's code. */
async function run(endings: Ending[], cancellation = new RequestCancellation(), membersThere = members.length) {
  const left = [...endings];
  members.length = membersThere;
  const post: FailoverTools['answers']['post'] = (_operation, _pool, member, untilMs, receiver) => {
    asked.push({ member, untilMs });
    const ending = left.shift();
    if (ending === undefined) throw new Error('One try too many.');
    if ('answers' in ending) queueMicrotask(() => receiver.answered(answerOf(ending.answers)));
    else {
      clock.advance(ending.afterMs ?? 0);
      const fails = failure(ending.fails);
      queueMicrotask(() => receiver.failed(fails));
    }
    return asked.length;
  };
  const tools: FailoverTools = {
    clock,
    events: {
      materialAlert: (_place, _id, alert) => void alerts.push(alert),
      copyMissing: ({ memberName }) => void alerts.push(`copy missing ${memberName}`),
    } as Partial<HsmEvents> as HsmEvents,
    returnValues: readReturnValues(loadAddon().returnValues()),
    operationTimeoutMs,
    pool: { cancel: (ticket: number) => void cancelled.push(ticket) } as unknown as FailoverTools['pool'],
    answers: { post },
    encryptionBudget: { trySpend: () => mayTrySpend && Boolean((spent += 1)), spend },
  };
  const failover = new Failover('cluster-1', tools, new MemberSet(tools, members, missing));
  const operation: RepeatableOperation<EncryptedData> = {
    operation: 'encrypt',
    materialId: 'one',
    encryptsUnder: 'one',
    post: () => undefined,
    read: () => answer,
  };
  const call = { deadlineMs: clock.monotonicMs() + requestMs, cancellation };
  try {
    return await failover.run(operation, call);
  } catch (error) {
    return error instanceof HoldfastError ? error.code : error;
  }
}

const answerOf = (member: number): Answer => Object.assign(new Answer(new Float64Array(answerRowLength)), { member });
const answer: EncryptedData = { nonce: Uint8Array.of(1), ciphertext: Uint8Array.of(2) };
const whom = () => asked.map(({ member }) => member);

describe('an operation that may be repeated', () => {
  test('goes to the member of the pool’s choice, then to each member that has not failed', async () => {
    expect(await run([{ fails: { member: 1 } }, { fails: { member: 0 } }, { answers: 2 }])).toEqual(answer);
    expect(whom()).toEqual([null, 0, 2]);
    expect(spent, 'an encryption may have happened in each').toBe(3);
    expect(members.map(({ failures }) => failures.length)).toEqual([1, 1, 0]);
  });

  test('carries the failure of every attempt when it fails, the last one first', async () => {
    const functionNames = ['C_GenerateRandom', 'C_EncryptInit', 'C_Encrypt'];
    await run(functionNames.map((functionName, member) => ({ fails: { member, functionName } })));
    const failures = members.flatMap(({ failures: its }) => its);
    expect(failures.map(({ functionName }) => functionName)).toEqual(functionNames);
    expect(failures[2]?.cause).toBe(failures[1]);
    expect(failures[1]?.cause).toBe(failures[0]);
    expect(failures[0]?.cause).toBeUndefined();
  });

  test('ends with the last failure when every member has failed', async () => {
    expect(await run([0, 1, 2].map((member) => ({ fails: { member } })))).toBe('KEY_UNAVAILABLE');
    expect(whom()).toEqual([null, 1, 2]);
  });

  const refused = (member: number): Ending => ({ fails: { callerFault: true, functionName: 'C_Decrypt', member } });

  test('asks another member about a refused ciphertext: the first may have recovered just before its canary', async () => {
    expect(await run([refused(0), refused(1)])).toBe('INVALID_CIPHERTEXT');
    expect(whom()).toEqual([null, 1]);
  });

  test('asks the same member again about a refused ciphertext, if there is no other', async () => {
    expect(await run([refused(0), { answers: 0 }], undefined, 1)).toEqual(answer);
    expect(whom()).toEqual([null, 0]);
  });

  test('does not report a ciphertext that was refused only once as bad', async () => {
    expect(await run([refused(0), { fails: { member: 1 } }, { fails: { member: 0 } }], undefined, 2)).toBe(
      'KEY_UNAVAILABLE',
    );
    expect(whom()).toEqual([null, 1, 0]);
    asked = [];
    const late: Ending = { ...refused(0), afterMs: requestMs };
    expect(await run([late])).toBe('DEPENDENCY_TIMEOUT');
  });

  test('refuses a ciphertext at once if no HSM was asked about it', async () => {
    expect(await run([{ fails: { callerFault: true, functionName: '' } }])).toBe('INVALID_CIPHERTEXT');
  });

  test('tries a single member once more if its calls were slow but within the timeout', async () => {
    const late: Ending = { fails: { kind: 'overdue', rv: 0, member: 0 }, afterMs: 400 };
    expect(await run([late, { answers: 0 }], undefined, 1)).toEqual(answer);
    expect(await run([late, late, { answers: 0 }], undefined, 1)).toBe('DEPENDENCY_TIMEOUT');
  });

  test('tries no other member if the queue is full, or once it is cancelled', async () => {
    expect(await run([{ fails: { kind: 'queue-full', rv: 0, member: -1 } }])).toBe('LIMIT_EXCEEDED');
    const cancellation = new RequestCancellation();
    const cancelling: Ending = {
      get fails() {
        cancellation.cancel();
        return { member: 0 };
      },
    };
    expect(await run([cancelling], cancellation)).toBe('CANCELLED');
    expect(asked).toHaveLength(2);
  });

  test('takes back the attempt under way when it is cancelled, and no other', async () => {
    const cancellation = new RequestCancellation();
    expect(await run([{ fails: { member: 0 } }, { answers: 1 }], cancellation)).toEqual(answer);
    expect(cancelled).toEqual([]);
    cancellation.cancel();
    expect(cancelled, 'harmless for those that are answered').toEqual([1, 2]);
  });

  test('waits for its budget if the catalog must be asked, and posts nothing if it is refused', async () => {
    mayTrySpend = false;
    spend = () => Promise.resolve(void (spent += 1));
    expect(await run([{ fails: { member: 0 } }, { answers: 1 }])).toEqual(answer);
    expect(spent).toBe(2);
    spend = () => Promise.reject(new HoldfastError('KMS_INVALID_STATE', 'spent', { retryable: false }));
    expect(await run([{ answers: 1 }])).toBe('KMS_INVALID_STATE');
    expect(asked).toHaveLength(2);
  });

  test('fails with what its listeners and its posting throw', async () => {
    expect(await run([])).toMatchObject({ message: 'One try too many.' });
    members.forEach((member) => {
      member.recordSuccess = () => {
        throw new Error('of a listener');
      };
    });
    expect(await run([{ answers: 1 }])).toMatchObject({ message: 'of a listener' });
  });

  test('skips members that have been suspended', async () => {
    const leaving: Ending = {
      get fails() {
        for (const member of members) member.isAdmitted = member.index === 2;
        return { member: 0 };
      },
    };
    expect(await run([leaving, { answers: 2 }])).toEqual(answer);
    expect(whom()).toEqual([null, 2]);
  });
});

test('a refusal that names no member is attributed to the member that was tried', async () => {
  const refused: Ending = { fails: { kind: 'no-member', rv: 0, member: -1 } };
  expect(await run([{ fails: { member: 0 } }, refused, { answers: 2 }])).toEqual(answer);
  expect(whom()).toEqual([null, 1, 2]);
});

describe('a member that had lost the session', () => {
  const lost = (member: number): Ending => ({ fails: { rv: sessionHandleInvalid, member } });

  test('is tried once more if it is the only one', async () => {
    expect(await run([lost(0), { answers: 0 }], undefined, 1)).toEqual(answer);
    expect(whom()).toEqual([null, 0]);
  });

  test('is not tried a third time', async () => {
    expect(await run([lost(0), lost(0)], undefined, 1)).toBe('KMS_INTERNAL');
    expect(whom()).toEqual([null, 0]);
  });

  test('is tried again after the others', async () => {
    expect(await run([lost(0), { fails: { member: 1 } }, { answers: 0 }], undefined, 2)).toEqual(answer);
    expect(whom()).toEqual([null, 1, 0]);
  });
});

describe('the time', () => {
  test('is shared by the members that could answer, and the last one gets the rest', async () => {
    const beganMs = clock.monotonicMs();
    const late = (member: number, afterMs: number): Ending => ({ fails: { kind: 'overdue', rv: 0, member }, afterMs });
    expect(await run([late(0, 300), late(1, 350), { answers: 2 }])).toEqual(answer);
    expect(asked.map(({ untilMs }) => Math.round(untilMs - beganMs))).toEqual([333, 650, 1_000]);
  });

  test('spent in a queue costs no member its turn: the first free one gets the rest', async () => {
    const beganMs = clock.monotonicMs();
    const waited: Ending = { fails: { kind: 'queue-deadline', rv: 0, member: -1, epoch: 0 }, afterMs: 334 };
    expect(await run([waited, { answers: 0 }])).toEqual(answer);
    expect(whom()).toEqual([null, null]);
    expect(asked[1]?.untilMs, 'not a share of it').toBe(beganMs + requestMs);
  });

  test('spent waiting for another lane of a member leaves the other members their share', async () => {
    const behind = (member: number): Ending => ({ fails: { kind: 'queue-deadline', rv: 0, member }, afterMs: 334 });
    expect(await run([behind(0), { answers: 1 }], undefined, 2)).toEqual(answer);
    expect(whom()).toEqual([null, 1]);
  });

  test('is not exceeded', async () => {
    expect(await run([{ fails: { member: 0 }, afterMs: requestMs }])).toBe('KEY_UNAVAILABLE');
    expect(asked).toHaveLength(1);
  });
});

describe('a key that some members lack', () => {
  const lacks: Partial<NativeFailure> = { kind: 'material-missing', rv: 0, functionName: '' };
  const memberAt = (index: number): (typeof members)[number] => {
    const member = members[index];
    if (member === undefined) throw new Error('There is no such member.');
    return member;
  };

  function lackedBy(...indexes: number[]): MissingCopies {
    const copies = new MissingCopies();
    for (const index of indexes) copies.note('one', memberAt(index));
    missing = copies;
    return copies;
  }

  test('is asked of the others only, as a set, and none of them is passed over', async () => {
    lackedBy(1);
    expect(await run([{ fails: { member: 2 } }, { answers: 0 }])).toEqual(answer);
    expect(whom()).toEqual([[0, 2], 0]);
  });

  test('leaves each attempt its share of the time among those that have the key', async () => {
    lackedBy(1);
    const startMs = clock.monotonicMs();
    await run([{ answers: 0 }]);
    expect(asked.map(({ untilMs }) => untilMs - startMs)).toEqual([requestMs / 2]);
  });

  test('is not asked of a member that lacks it, even as the last one', async () => {
    lackedBy(1, 2);
    expect(await run([{ fails: { member: 0 } }])).toBe('KEY_UNAVAILABLE');
    expect(whom()).toEqual([[0]]);
  });

  test('is asked of those that lacked it while no other takes work; one that answers has it', async () => {
    const copies = lackedBy(1, 2);
    memberAt(0).isAdmitted = false;
    expect(await run([{ answers: 2 }])).toEqual(answer);
    expect(whom()).toEqual([[0, 1, 2]]);
    expect(copies.membersLacking('one')).toEqual(new Set([memberAt(1)]));
  });

  test('is learned from a member that lacks it: one try, no alert, and never again', async () => {
    missing = new MissingCopies();
    expect(await run([{ fails: { ...lacks, member: 1 } }, { answers: 0 }])).toEqual(answer);
    expect(await run([{ answers: 2 }])).toEqual(answer);
    expect(whom()).toEqual([null, 0, [0, 2]]);
    expect(alerts).toEqual(['copy missing m1']);
  });

  test('is unavailable while the only members that may have it are away', async () => {
    missing = new MissingCopies();
    memberAt(2).isAdmitted = false;
    expect(await run([0, 1].map((member) => ({ fails: { ...lacks, member } })))).toBe('KEY_UNAVAILABLE');
    expect(alerts).toEqual(['copy missing m0', 'copy missing m1']);
  });

  test('is an alert if nobody has it', async () => {
    missing = new MissingCopies();
    expect(await run([0, 1, 2].map((member) => ({ fails: { ...lacks, member } })))).toBe('KMS_INVALID_STATE');
    expect(alerts).toEqual(['copy missing m0', 'copy missing m1', 'material-missing']);
  });

  test('is an alert at once in a cluster without replication', async () => {
    expect(await run([{ fails: { ...lacks, member: 0 } }], undefined, 1)).toBe('KMS_INVALID_STATE');
    expect(alerts).toEqual(['material-missing']);
  });
});
