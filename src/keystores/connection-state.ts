/**
 * The connection state machine of a custom key store, as one table: state × what happens → the next state, or a refusal.
 *
 * Source: AWS KMS API Reference, ConnectCustomKeyStore, DisconnectCustomKeyStore, UpdateCustomKeyStore,
 * DeleteCustomKeyStore and CustomKeyStoresListEntry.ConnectionState.
 */
import { HoldfastError } from '../errors.js';
import type { ConnectionState, StoreRecord } from './store.js';

/** All states, in the order of the AWS model. */
export const connectionStates = ['CONNECTED', 'CONNECTING', 'FAILED', 'DISCONNECTED', 'DISCONNECTING'] as const;

/**
 * What callers ask of a store. `rename` changes only the name, `reconfigure` the cluster or the password;
 * `use` is CreateKey or GenerateRandom in it.
 */
export const storeCommands = ['connect', 'disconnect', 'rename', 'reconfigure', 'delete', 'use'] as const;

/** What its connection does by itself. `resume`: a process finds the store connected and connects again. */
export const connectionEvents = ['succeeded', 'failed', 'closed', 'resume'] as const;

/** A column of the table that a caller's request stands for. */
export type StoreCommand = (typeof storeCommands)[number];
/** A column of the table that no caller asks for. */
export type ConnectionEvent = (typeof connectionEvents)[number];

/** The state afterwards; `refused` where the state does not allow it; `gone` where the store is no longer there. */
export type Transition = ConnectionState | 'gone' | 'refused';

type Row = Record<StoreCommand | ConnectionEvent, Transition>;

const transitions: Record<ConnectionState, Row> = {
  CONNECTED: {
    connect: 'CONNECTED',
    disconnect: 'DISCONNECTING',
    rename: 'CONNECTED',
    reconfigure: 'refused',
    delete: 'refused',
    use: 'CONNECTED',
    succeeded: 'CONNECTED',
    failed: 'refused',
    closed: 'refused',
    resume: 'CONNECTING',
  },
  CONNECTING: {
    connect: 'CONNECTING',
    disconnect: 'DISCONNECTING',
    rename: 'refused',
    reconfigure: 'refused',
    delete: 'refused',
    use: 'refused',
    succeeded: 'CONNECTED',
    failed: 'FAILED',
    closed: 'refused',
    resume: 'CONNECTING',
  },
  FAILED: {
    connect: 'refused',
    disconnect: 'DISCONNECTING',
    rename: 'refused',
    reconfigure: 'refused',
    delete: 'refused',
    use: 'refused',
    succeeded: 'refused',
    failed: 'refused',
    closed: 'refused',
    resume: 'refused',
  },
  DISCONNECTED: {
    connect: 'CONNECTING',
    disconnect: 'refused',
    rename: 'DISCONNECTED',
    reconfigure: 'DISCONNECTED',
    delete: 'gone',
    use: 'refused',
    succeeded: 'refused',
    failed: 'refused',
    closed: 'refused',
    resume: 'refused',
  },
  DISCONNECTING: {
    connect: 'refused',
    disconnect: 'refused',
    rename: 'refused',
    reconfigure: 'refused',
    delete: 'refused',
    use: 'refused',
    succeeded: 'refused',
    failed: 'refused',
    closed: 'DISCONNECTED',
    resume: 'refused',
  },
};

/** What becomes of a store in `state` when `what` happens. */
export function transition(state: ConnectionState, what: StoreCommand | ConnectionEvent): Transition {
  return transitions[state][what];
}

/** The states from which `what` is allowed: the `from` of a compare-and-set. */
export function statesAllowing(what: StoreCommand | ConnectionEvent): ConnectionState[] {
  return connectionStates.filter((state) => transitions[state][what] !== 'refused');
}

/** @throws CUSTOM_KEY_STORE_INVALID_STATE, with the states that would do. */
export function requireAllowed(store: StoreRecord, command: StoreCommand): void {
  if (transition(store.connectionState, command) !== 'refused') return;
  throw invalidState(store, command);
}

/** The error for a command that the store's state does not allow. */
export function invalidState(
  store: Pick<StoreRecord, 'customKeyStoreId' | 'connectionState'>,
  command: StoreCommand,
): HoldfastError {
  const allowed = statesAllowing(command).join(' or ');
  return new HoldfastError(
    'CUSTOM_KEY_STORE_INVALID_STATE',
    `Custom key store ${store.customKeyStoreId} is ${store.connectionState}; this operation needs it to be ${allowed}.`,
    { retryable: willAllow(store.connectionState, command) },
  );
}

/** Whether a store in `state` comes by itself to a state that allows `command`: nobody has to ask for it. */
export function willAllow(state: ConnectionState, command: StoreCommand): boolean {
  return ends.some((end) => {
    const next = transition(state, end);
    return next !== state && next !== 'gone' && next !== 'refused' && transition(next, command) !== 'refused';
  });
}

/** How what is under way can end. `resume` is no end: it begins anew. */
const ends = ['succeeded', 'failed', 'closed'] as const satisfies readonly ConnectionEvent[];
