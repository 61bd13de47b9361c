import { beforeEach, expect, test } from 'vitest';
import { ManualClock } from '../../test/manual-clock.js';
import { classify } from './failure.js';
import { Member, type MemberTools } from './member.js';
import type { MemberConnection } from './member-connection.js';
import { loadAddon, type NativeFailure } from './native.js';
import { readReturnValues } from './return-values.js';
import { defaultBreakerSettings, defaultRecoverySettings } from '../../test/hsm/default-settings.js';

const returnValues = readReturnValues(loadAddon().returnValues());
const epoch = 5;

let told: string[];
let reopened: number;
let member: Member;

beforeEach(async () => {
  told = [];
  const tell = (what: string) => () => void told.push(what);
  reopened = 0;
  const reopen = (): Promise<void> => {
    reopened += 1;
    return Promise.resolve();
  };
  const connection = { index: 0, isOpen: true, epoch, description: [], reopen, close: () => Promise.resolve() };
  const tools = {
    clock: new ManualClock(),
    pool: { resume: tell('resume'), suspend: tell('suspend') },
    events: {
      memberOpened: tell('opened'),
      memberSuspended: tell('suspended'),
      laneQuarantined: tell('quarantined'),
    },
    returnValues,
    breaker: defaultBreakerSettings,
    recovery: defaultRecoverySettings,
    random: () => 0,
    operationTimeoutMs: 1_000,
  } as unknown as MemberTools;
  member = new Member(tools, { clusterId: 'cluster-1', memberName: 'one' }, connection as unknown as MemberConnection);
  await member.open(0, false);
  told.length = 0;
});

function hang(inEpoch: number): void {
  const failure: NativeFailure = Object.assign(new Error('a failure'), {
    kind: 'lane-deadline',
    rv: 0,
    functionName: '',
    callerFault: false,
    hsmCleared: false,
    isOfUse: true,
    member: 0,
    epoch: inEpoch,
  } as const);
  member.recordFailure(failure, classify(failure, returnValues));
}

test('a call that hangs suspends the member', () => {
  hang(epoch);
  expect(told).toEqual(['quarantined', 'suspend', 'suspended']);
  expect(member.isAdmitted).toBe(false);
});

test('a call that has hung since an earlier epoch does not suspend the member: the addon is asked to resume it', () => {
  hang(epoch - 1);
  expect(told).toEqual(['quarantined', 'resume']);
  expect(member.isAdmitted).toBe(true);
});

test('a member that is drained before it begins to open stays closed', async () => {
  await member.drain(0);
  reopened = 0;
  told.length = 0;
  member.beginOpening();
  await Promise.resolve();
  expect([member.isDrained, member.breakerState, reopened, told]).toEqual([true, 'open', 0, []]);
});
