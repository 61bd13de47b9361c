import { beforeEach, describe, expect, test } from 'vitest';
import { ManualClock } from '../../test/manual-clock.js';
import { unremarkable } from '../../test/member-condition.js';
import type { ClusterStatus } from './clusters.js';
import { ProcessReplacement, type ReplacementSettings, type ReplacementState } from './process-replacement.js';

type Condition = 'serves' | 'suspended' | 'exhausted' | 'stuck';

const settings: ReplacementSettings = { replaceWhenStuck: true, replaceAfterMs: 10_000, leastUptimeMs: 60_000 };

let clock: ManualClock;
let states: ReplacementState[];
let clusters: Condition[][];
let asked: boolean;

beforeEach(() => {
  clock = new ManualClock();
  states = [];
  asked = false;
});

function status(): ClusterStatus[] {
  return clusters.map((members, cluster) => ({
    clusterId: `cluster-${cluster}`,
    minimumMembers: 2,
    generation: undefined,
    members: members.map((condition, member) => ({
      name: `member-${member}`,
      breaker: condition === 'stuck' ? undefined : condition === 'suspended' ? 'open' : 'closed',
      statistics: { admitted: condition === 'serves' } as ClusterStatus['members'][number]['statistics'],
      isOpen: condition !== 'stuck',
      isStuck: condition === 'stuck',
      ...unremarkable,
    })),
  }));
}

function watching(change: Partial<ReplacementSettings> = {}): ProcessReplacement {
  const onChange = (state: ReplacementState): void => void states.push(state);
  const replacement = new ProcessReplacement({ clock, settings: { ...settings, ...change }, status, onChange });
  void replacement.asked.then(() => (asked = true));
  return replacement;
}

/** Lets time pass in steps, so periodic checks run. */
async function pass(durationMs: number): Promise<void> {
  for (let passedMs = 0; passedMs < durationMs; passedMs += 250) {
    clock.advance(250);
    await Promise.resolve();
  }
}

test('a process in which a member is stuck and nothing serves asks to be replaced if that lasts', async () => {
  clusters = [['stuck', 'suspended'], ['exhausted']];
  const replacement = watching();
  await pass(70_000);
  expect(states).toEqual([]);
  replacement.look();
  await pass(9_000);
  expect([states, asked]).toEqual([['due'], false]);
  await pass(2_000);
  expect([states, asked]).toEqual([['due', 'asked'], true]);
  clusters = [['serves']];
  await pass(5_000);
  expect(replacement.state).toBe('asked');
});

test('a process does not ask before it has run for a while: an HSM that always hangs must not cause a loop of restarts', async () => {
  clusters = [['stuck']];
  watching().look();
  await pass(59_000);
  expect(states).toEqual(['due']);
  await pass(2_000);
  expect(states).toEqual(['due', 'asked']);
});

describe('while another member serves, the process continues', () => {
  test.each([
    ['of the same cluster', [['stuck', 'serves']]],
    ['of another cluster', [['stuck'], ['serves']]],
  ] satisfies [string, Condition[][]][])('%s, and asks when that one fails too', async (_which, now) => {
    clusters = now.map((members) => [...members]);
    watching().look();
    await pass(200_000);
    expect(states).toEqual(['put-off']);
    clusters = [['stuck'], ['stuck']];
    await pass(9_000);
    expect(states).toEqual(['put-off', 'due']);
    clusters = [['stuck'], ['serves']];
    await pass(1_000);
    clusters = [['stuck'], ['suspended']];
    // The time starts again: the member served meanwhile.
    await pass(9_000);
    expect([states, asked]).toEqual([['put-off', 'due', 'put-off', 'due'], false]);
    await pass(2_000);
    expect(asked).toBe(true);
  });
});

test('a member that returns ends the need for a new process', async () => {
  clusters = [['stuck']];
  const replacement = watching({ leastUptimeMs: 0 });
  replacement.look();
  await pass(5_000);
  clusters = [['serves']];
  await pass(60_000);
  expect([states, asked]).toEqual([['due', 'none'], false]);
});

test('with replacement switched off, the process never asks, but reports that it is stuck', async () => {
  clusters = [['stuck']];
  watching({ replaceWhenStuck: false }).look();
  await pass(200_000);
  expect([states, asked]).toEqual([['put-off'], false]);
});

test('once stopped, the replacement no longer checks', async () => {
  clusters = [['stuck']];
  const replacement = watching({ leastUptimeMs: 0, replaceAfterMs: 0 });
  replacement.look();
  replacement.stop();
  await pass(5_000);
  expect(states).toEqual([]);
});
