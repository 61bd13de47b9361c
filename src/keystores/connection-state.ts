/**
 * The connection state machine of a custom key store, as one table: state × command or event → the next state, or a
 * refusal.
 *
 * Source: AWS KMS API Reference, ConnectCustomKeyStore, DisconnectCustomKeyStore, UpdateCustomKeyStore,
 * DeleteCustomKeyStore and CustomKeyStoresListEntry.ConnectionState.
 */
import { HoldfastError } from '../errors.js';
import type { ConnectionState, StoreRecord } from './store.js';

/** All states, in the order of the AWS model. */
export const connectionStates = ['CONNECTED', 'CONNECTING', 'FAILED', 'DISCONNECTED', 'DISCONNECTING'] as const;

/**
 * The commands of callers. `rename` changes only the name, `reconfigure` the cluster too, `set-password` the password but
 * not the cluster; `use` is CreateKey or GenerateRandom in it. AWS sets a password only while DISCONNECTED. Here it is set
 * while CONNECTED too, once every member has accepted it.
 */
export const storeCommands = [
  'connect',
  'disconnect',
  'rename',
  'reconfigure',
  'set-password',
  'delete',
  'use',
] as const;

/** Events of the connection itself. `resume`: a process finds the store connected and connects again. */
export const connectionEvents = ['succeeded', 'failed', 'closed', 'resume'] as const;

/** A column of the table for a caller's request. */
export type StoreCommand = (typeof storeCommands)[number];
/** A column of the table for an event without a request. */
export type ConnectionEvent = (typeof connectionEvents)[number];

/** The next state; `refused` if the state does not allow it; `gone` if the store no longer exists. */
export type Transition = ConnectionState | 'gone' | 'refused';

type Row = Record<StoreCommand | ConnectionEvent, Transition>;

const transitions: Record<ConnectionState, Row> = {
  CONNECTED: {
    connect: 'CONNECTED',
    disconnect: 'DISCONNECTING',
    rename: 'CONNECTED',
    reconfigure: 'refused',
    'set-password': 'CONNECTED',
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
    'set-password': 'refused',
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
    'set-password': 'refused',
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
    'set-password': 'DISCONNECTED',
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
    'set-password': 'refused',
    delete: 'refused',
    use: 'refused',
    succeeded: 'refused',
    failed: 'refused',
    closed: 'DISCONNECTED',
    resume: 'refused',
  },
};

/** The result of `what` for a store in `state`. */
export function transition(state: ConnectionState, what: StoreCommand | ConnectionEvent): Transition {
  return transitions[state][what];
}

/** The states from which `what` is allowed: the `from` of a compare-and-set. */
export function statesAllowing(what: StoreCommand | ConnectionEvent): ConnectionState[] {
  return connectionStates.filter((state) => transitions[state][what] !== 'refused');
}

/** @throws CUSTOM_KEY_STORE_INVALID_STATE, with the states that allow the command. */
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

/** Whether a store in `state` will reach, without a request, a state that allows `command`. */
export function willAllow(state: ConnectionState, command: StoreCommand): boolean {
  return ends.some((end) => {
    const next = transition(state, end);
    return next !== state && next !== 'gone' && next !== 'refused' && transition(next, command) !== 'refused';
  });
}

/** The events that end work under way. `resume` is not among them: it starts new work. */
const ends = ['succeeded', 'failed', 'closed'] as const satisfies readonly ConnectionEvent[];
