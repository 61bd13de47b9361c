import { expect, test } from 'vitest';
import type { HsmEvents } from '../hsm/events.js';
import type { ConnectionEvents } from '../keystores/connection-events.js';
import { HangTracker } from './hang-tracker.js';
import { connectionReactions, hsmReactions, reportAndReact } from './reactions.js';

/** Recorded reactions, and telemetry that reports nothing, or always fails. */
function rig(report: () => void) {
  const done: string[] = [];
  const hangTracker = new HangTracker();
  hangTracker.onStuck = () => void done.push('replacement');
  const reactions = {
    checkInventory: (clusterId: string) => {
      done.push(`check ${clusterId}`);
      return Promise.resolve();
    },
    noteMissing: (clusterId: string) => void done.push(`missing ${clusterId}`),
    lookAtReadiness: () => void done.push('look'),
    hangTracker,
  };
  const silent = new Proxy({}, { get: () => report });
  const spread = (names: string[]) =>
    Object.fromEntries(names.map((name) => [name, Reflect.get(silent, name) as unknown]));
  const memberReactions = hsmReactions(reactions);
  const storeReactions = connectionReactions(reactions);
  return {
    done,
    hangTracker,
    hsm: reportAndReact(spread(Object.keys(memberReactions)) as unknown as HsmEvents, memberReactions),
    connections: reportAndReact(spread(Object.keys(storeReactions)) as unknown as ConnectionEvents, storeReactions),
  };
}

const place = { clusterId: 'c', memberName: 'm' };
const nextTurn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

test.each([
  ['silent', (): void => undefined],
  [
    'broken',
    (): void => {
      throw new Error('the log');
    },
  ],
] as const)('reactions do not depend on telemetry: %s', async (kind, report) => {
  const { done, hangTracker, hsm, connections } = rig(report);
  const tell = (event: () => void) => {
    if (kind === 'broken') expect(event).toThrow('the log');
    else event();
  };
  tell(() => hsm.memberOpened(place, {} as never, {} as never));
  tell(() => hsm.memberReconnected(place));
  tell(() => connections.connected({ customKeyStoreId: null, clusterId: 'd' }));
  tell(() => hsm.memberStuck(place, undefined));
  tell(() => hsm.copyMissing(place, 'ab', undefined));
  tell(() => hsm.inventoryFailed(place, undefined));
  expect(done).toEqual(['check c', 'check c', 'check d', 'replacement', 'missing c', 'missing c']);
  await nextTurn();
  expect(done.slice(6)).toEqual(['look', 'look']);
  expect(hangTracker.lanesHung).toBe(false);
  tell(() => hsm.lanesHung('c', 1));
  expect(hangTracker.lanesHung).toBe(true);
});
