import { expect, test } from 'vitest';
import {
  connectionEvents,
  connectionStates,
  requireAllowed,
  statesAllowing,
  storeCommands,
  transition,
  willAllow,
} from './connection-state.js';
import type { ConnectionState, StoreRecord } from './store.js';

/**
 * AWS's rules read the other way round: the states that allow each command or event. Everything not named here is
 * refused.
 */
const expected: Record<string, Partial<Record<ConnectionState, string>>> = {
  connect: { CONNECTED: 'CONNECTED', CONNECTING: 'CONNECTING', DISCONNECTED: 'CONNECTING' },
  disconnect: { CONNECTED: 'DISCONNECTING', CONNECTING: 'DISCONNECTING', FAILED: 'DISCONNECTING' },
  rename: { CONNECTED: 'CONNECTED', DISCONNECTED: 'DISCONNECTED' },
  reconfigure: { DISCONNECTED: 'DISCONNECTED' },
  'set-password': { CONNECTED: 'CONNECTED', DISCONNECTED: 'DISCONNECTED' },
  delete: { DISCONNECTED: 'gone' },
  use: { CONNECTED: 'CONNECTED' },
  succeeded: { CONNECTING: 'CONNECTED', CONNECTED: 'CONNECTED' },
  failed: { CONNECTING: 'FAILED' },
  closed: { DISCONNECTING: 'DISCONNECTED' },
  resume: { CONNECTED: 'CONNECTING', CONNECTING: 'CONNECTING' },
};

const everything = [...storeCommands, ...connectionEvents];

test('the expectations name every command and event', () => {
  expect(Object.keys(expected).sort()).toEqual([...everything].sort());
});

test.each(connectionStates.flatMap((state) => everything.map((what) => [state, what] as const)))(
  '%s × %s',
  (state, what) => {
    expect(transition(state, what)).toBe(expected[what]?.[state] ?? 'refused');
    expect(statesAllowing(what).includes(state)).toBe(expected[what]?.[state] !== undefined);
  },
);

test('every state can be left, and every state but the first can be reached', () => {
  for (const state of connectionStates) {
    expect(everything.some((what) => !['refused', state].includes(transition(state, what)))).toBe(true);
    expect(
      connectionStates.some((from) => from !== state && everything.some((what) => transition(from, what) === state)),
    ).toBe(true);
  }
});

/** The commands that a temporary state will allow. Everything not named here waits for a caller, or for an operator. */
const allowedSoon: Partial<Record<ConnectionState, string[]>> = {
  // It becomes CONNECTED or FAILED.
  CONNECTING: ['disconnect', 'connect', 'rename', 'set-password', 'use'],
  // It becomes DISCONNECTED.
  DISCONNECTING: ['connect', 'rename', 'reconfigure', 'set-password', 'delete'],
};

test.each(connectionStates)('a refusal of a store that is %s says whether waiting helps', (state) => {
  const store = { customKeyStoreId: 'cks-1', connectionState: state } as StoreRecord;
  for (const command of storeCommands) {
    const soon = allowedSoon[state]?.includes(command) ?? false;
    expect(willAllow(state, command), command).toBe(soon);
    if (transition(state, command) !== 'refused') continue;
    expect(() => requireAllowed(store, command)).toThrow(expect.objectContaining({ retryable: soon }));
  }
});

test('a refusal names the state and the states that allow the command', () => {
  const store = { customKeyStoreId: 'cks-1', connectionState: 'FAILED' } as StoreRecord;
  expect(() => {
    requireAllowed(store, 'connect');
  }).toThrow(/cks-1 is FAILED; this operation needs it to be CONNECTED or CONNECTING or DISCONNECTED/);
});
