import { onKeyStore } from '../operation.js';
import { HoldfastError } from '../../errors.js';
import type { RequestContext } from '../../calls/request-context.js';
import { Secret } from '../../secret.js';
import {
  clusterInUse,
  type KeyStoreAdministration,
  requireStore,
  requireUsableCluster,
  storeNameInUse,
  storeNotFound,
} from '../../keystores/administration.js';
import {
  invalidState,
  requireAllowed,
  statesAllowing,
  type StoreCommand,
  transition,
} from '../../keystores/connection-state.js';
import type { ClusterDescription } from '../../clusters/hsm-cluster.js';
import { checkPassword, sealPassword, trialVersionOf, unsealPassword } from '../../keystores/password.js';
import type { PinRotation } from '../../keystores/pin-rotation.js';
import type { SealedPassword, StoreRecord } from '../../keystores/store.js';
import { isTrustAnchorOf } from './trust-anchor.js';

/** AWS KMS API Reference, UpdateCustomKeyStore, without the fields of external key stores. */
export interface UpdateCustomKeyStoreRequest {
  customKeyStoreId: string;
  newCustomKeyStoreName?: string | undefined;
  /** Destroyed when the use case ends. */
  keyStorePassword?: Secret | undefined;
  cloudHsmClusterId?: string | undefined;
}

/**
 * Changes a store's name, password or cluster. The cluster can be changed only while it is DISCONNECTED, the rest also
 * while it is CONNECTED. Then every member must accept a new password first, in a process of its own; the store stays
 * connected, and every process uses the new password from its next login on. A new cluster must have the same trust
 * anchor certificate.
 * @throws CUSTOM_KEY_STORE_NOT_FOUND, CUSTOM_KEY_STORE_INVALID_STATE, CUSTOM_KEY_STORE_NAME_IN_USE, VALIDATION,
 *   CLOUD_HSM_CLUSTER_NOT_FOUND, CLOUD_HSM_CLUSTER_NOT_RELATED, CLOUD_HSM_CLUSTER_IN_USE, CLOUD_HSM_CLUSTER_INVALID_CONFIGURATION
 */
export async function updateCustomKeyStore(
  core: KeyStoreAdministration,
  call: { request: UpdateCustomKeyStoreRequest },
  context: RequestContext,
): Promise<Record<string, never>> {
  try {
    const store = await requireStore(core, context.principal, call.request.customKeyStoreId);
    await applyUpdate(core, store, call.request, context.deadlineMs);
    return {};
  } finally {
    call.request.keyStorePassword?.destroy();
  }
}

type UpdateCommand = Extract<StoreCommand, 'rename' | 'reconfigure' | 'set-password'>;

function commandOf({ keyStorePassword, cloudHsmClusterId }: UpdateCustomKeyStoreRequest): UpdateCommand {
  if (cloudHsmClusterId !== undefined) return 'reconfigure';
  return keyStorePassword === undefined ? 'rename' : 'set-password';
}

async function applyUpdate(
  core: KeyStoreAdministration,
  store: StoreRecord,
  request: UpdateCustomKeyStoreRequest,
  deadlineMs: number,
): Promise<void> {
  const { newCustomKeyStoreName: name, cloudHsmClusterId } = request;
  const command = commandOf(request);
  requireAllowed(store, command);
  if (cloudHsmClusterId !== undefined) requireRelatedCluster(core, store, cloudHsmClusterId);
  // Naming the store's present cluster changes nothing: a new version would retry a password that was refused there.
  const moves = cloudHsmClusterId !== undefined && cloudHsmClusterId !== store.clusterId;
  const { keyStorePassword } = request;
  const isConnected = store.connectionState === 'CONNECTED';
  // Before the trial: what a rotation changes during it, the trial has not seen.
  const rotation = keyStorePassword === undefined ? undefined : await openRotation(core, store);
  // The PIN of a rotation that members have begun may be their only one, so no untried password replaces it.
  const isBegun = rotation?.members.some(({ phase }) => phase === 'new' || phase === 'changing') === true;
  if (keyStorePassword !== undefined && (isConnected || isBegun))
    await requireAccepted(core, store, keyStorePassword, deadlineMs);
  const password = keyStorePassword === undefined && !moves ? undefined : reseal(core, store, request);
  const change = {
    name,
    clusterId: cloudHsmClusterId,
    password,
    passwordVersion: password === undefined ? undefined : store.passwordVersion + 1,
    rotation,
  };
  // An unchecked password is not set on a store that has been connected meanwhile.
  const inStates = command === 'set-password' ? [store.connectionState] : statesAllowing(command);
  const outcome = await core.keyStoreCatalog.updateStore(store.customKeyStoreId, inStates, change);
  if (outcome === 'not-found') throw storeNotFound(store.customKeyStoreId);
  if (outcome === 'has-keys') throw keysStayBehind(store);
  if (outcome === 'wrong-state') throw await refusal(core, store, command);
  if (outcome === 'name-in-use') throw storeNameInUse(name ?? store.name);
  if (outcome === 'cluster-in-use') throw clusterInUse(cloudHsmClusterId ?? store.clusterId);
}

async function openRotation(
  { pinRotationCatalog }: KeyStoreAdministration,
  { customKeyStoreId }: StoreRecord,
): Promise<PinRotation | undefined> {
  const rotations = await pinRotationCatalog.listPinRotations();
  return rotations.find((rotation) => rotation.customKeyStoreId === customKeyStoreId);
}

/** The part of a request's time in which members are asked: the rest is for the answer. */
const trialShare = 0.8;

/**
 * A process that is logged in cannot check another PIN, so another process does.
 * @throws VALIDATION if a member refuses the password, CUSTOM_KEY_STORE_INVALID_STATE if it cannot be asked
 */
async function requireAccepted(
  core: KeyStoreAdministration,
  store: StoreRecord,
  password: Secret,
  deadlineMs: number,
): Promise<void> {
  const { pinTrials, passwordSealer, clock } = core;
  checkPassword(password, requireUsableCluster(core, store.clusterId));
  const version = trialVersionOf(passwordSealer, store, password);
  const nowMs = clock.monotonicMs();
  const untilMs = nowMs + (deadlineMs - nowMs) * trialShare;
  const failure = await pinTrials.tryPin(store.clusterId, password, version, untilMs);
  if (failure === undefined) return;
  const { memberName, errorCode, transient, cause } = failure;
  if (errorCode === 'INVALID_CREDENTIALS') {
    const description = `Member ${memberName} refuses the password.`;
    const fieldViolations = [{ field: 'key_store_password', description }];
    throw new HoldfastError('VALIDATION', `${description} Nothing was changed.`, { cause, fieldViolations });
  }
  throw new HoldfastError(
    'CUSTOM_KEY_STORE_INVALID_STATE',
    `Custom key store ${store.customKeyStoreId} is ${store.connectionState}, and member ${memberName} cannot check the password ` +
      `(${errorCode}). Nothing was changed. A password is set unchecked only while the store is DISCONNECTED and no member has begun to change its PIN.`,
    { cause, retryable: transient },
  );
}

/** AWS lets a store move to a cluster made from its backup. A cluster without replication has no such sibling. */
function keysStayBehind(store: StoreRecord): HoldfastError {
  return new HoldfastError(
    'CLOUD_HSM_CLUSTER_NOT_RELATED',
    `Custom key store ${store.customKeyStoreId} has keys, and they exist in cluster '${store.clusterId}' only: it is not replicated.`,
  );
}

/**
 * The error for an update that came too late: either the state changed meanwhile, or another update set a password
 * first.
 */
async function refusal(
  core: KeyStoreAdministration,
  store: StoreRecord,
  command: UpdateCommand,
): Promise<HoldfastError> {
  const current = await requireStore(core, store, store.customKeyStoreId);
  if (transition(current.connectionState, command) === 'refused') return invalidState(current, command);
  return new HoldfastError(
    'CUSTOM_KEY_STORE_INVALID_STATE',
    `Custom key store ${store.customKeyStoreId} was updated by another request at the same time. Try again.`,
    { retryable: true },
  );
}

/**
 * The password for the store after the update. The sealed form is bound to cluster and version: a new cluster requires
 * sealing again even if the password stays.
 */
function reseal(
  core: KeyStoreAdministration,
  store: StoreRecord,
  request: UpdateCustomKeyStoreRequest,
): SealedPassword {
  const cluster = requireRelatedCluster(core, store, request.cloudHsmClusterId);
  const password = request.keyStorePassword ?? new Secret(unsealPassword(core.passwordSealer, store));
  try {
    checkPassword(password, cluster);
    return sealPassword(core.passwordSealer, password, {
      customKeyStoreId: store.customKeyStoreId,
      clusterId: cluster.clusterId,
      passwordVersion: store.passwordVersion + 1,
    });
  } finally {
    password.destroy();
  }
}

function requireRelatedCluster(
  core: KeyStoreAdministration,
  store: StoreRecord,
  newClusterId: string | undefined,
): ClusterDescription {
  const cluster = requireUsableCluster(core, newClusterId ?? store.clusterId);
  if (newClusterId === undefined || isTrustAnchorOf(cluster, store.trustAnchorCertificate)) return cluster;
  throw new HoldfastError(
    'CLOUD_HSM_CLUSTER_NOT_RELATED',
    `Cluster '${newClusterId}' has another trust anchor certificate than custom key store ${store.customKeyStoreId}.`,
  );
}

/** The descriptor of UpdateCustomKeyStore, with its function. */
export const updateCustomKeyStoreOperation = onKeyStore<UpdateCustomKeyStoreRequest>({
  plane: 'control',
  audited: ['customKeyStoreId', 'newCustomKeyStoreName', 'cloudHsmClusterId'],
  action: 'kms:UpdateCustomKeyStore',
  run: updateCustomKeyStore,
});
