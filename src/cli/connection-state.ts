import { setTimeout as pause } from 'node:timers/promises';
import type { KmsClient } from './client.js';
import { CliError, exitCodes } from './exit-codes.js';
import { withoutEnumPrefix } from './proto-json.js';

const pollIntervalMs = 200;

/** Remedies for a failed connection (AWS KMS Developer Guide, "Troubleshooting a custom key store"). */
const hints: Readonly<Record<string, string>> = {
  INVALID_CREDENTIALS:
    'the HSM refused the password, and it will not be tried again. Set the right one: holdfast key-store disconnect --wait, then update --new-password, then connect --wait',
  CLUSTER_NOT_FOUND: 'no such token; on the server, holdfast doctor shows what the modules see',
  NETWORK_ERRORS: 'the HSM did not answer; on the server, holdfast doctor shows why',
  USER_LOCKED_OUT:
    'the HSM locked its user after wrong passwords, or has one attempt left, which was not used; its security officer can unlock it, and a correct login with the tool of its vendor resets the count',
  USER_NOT_FOUND: 'the user PIN of the token was never set',
  INSUFFICIENT_CLOUDHSM_HSMS: 'fewer members are available than minimumMembers requires',
};

/** A command that takes a moment, named by its transitional state. */
export type Transition = 'CONNECTING' | 'DISCONNECTING';

const goals = {
  CONNECTING: { state: 'CONNECTED', verb: 'connecting' },
  DISCONNECTING: { state: 'DISCONNECTED', verb: 'disconnecting' },
} as const;

/**
 * Waits until a custom key store is connected, or disconnected.
 * @throws CliError when it failed, reached another state, or took longer than the client's timeout
 */
export async function awaitState(client: KmsClient, customKeyStoreId: string, transition: Transition): Promise<void> {
  const goal = goals[transition];
  for (;;) {
    const { customKeyStores } = await client.call('describeCustomKeyStores', { customKeyStoreId });
    const state = withoutEnumPrefix('connection_state', customKeyStores[0]?.connectionState ?? 'UNKNOWN');
    if (state === goal.state) return;
    if (state !== transition) {
      const code = withoutEnumPrefix('connection_error_code', customKeyStores[0]?.connectionErrorCode ?? state);
      throw new CliError(exitCodes.checkFailed, code, `${customKeyStoreId} is ${state}`, { hint: hints[code] });
    }
    if (client.remainingMs <= pollIntervalMs) {
      throw new CliError(exitCodes.unreachable, 'TIMEOUT', `${customKeyStoreId} is still ${goal.verb}`);
    }
    await pause(pollIntervalMs);
  }
}
