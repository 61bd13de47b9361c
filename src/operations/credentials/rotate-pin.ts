import type { RequestContext } from '../../calls/request-context.js';
import type { PinTrialFailure } from '../../clusters/pin-trials.js';
import { HoldfastError } from '../../errors.js';
import { type KeyStoreAdministration, requireStore } from '../../keystores/administration.js';
import { invalidState } from '../../keystores/connection-state.js';
import { type DefaultPinRecord, findSealedPin } from '../../keystores/default-pin-record.js';
import { newPinRotation } from '../../keystores/new-pin-rotation.js';
import { isPasswordOf, unsealPassword } from '../../keystores/password.js';
import type { PinPhase, PinRotation } from '../../keystores/pin-rotation.js';
import type { SealedPin } from '../../keystores/sealed-pin.js';
import { Secret } from '../../secret.js';
import { onKeyStore } from '../operation.js';

/** Changes the PIN of a key store on all members and in the catalog. */
export interface RotatePinRequest {
  /** The id of a custom key store, or of the cluster of the default one. */
  customKeyStoreId: string;
  /** The new PIN; left out: a random one. Destroyed when the use case ends. */
  keyStorePassword?: Secret | undefined;
  /** Changes nothing. */
  dryRun?: boolean | undefined;
  /** Answers with the random PIN. */
  showPin?: boolean | undefined;
}

/** How far the change has come. */
export interface RotatePinResponse {
  /** Whether every member, and the catalog, have the new PIN. */
  complete: boolean;
  members: { memberName: string; phase: Uppercase<PinPhase> }[];
  /** The first member that could not be changed yet. */
  pendingMemberName?: string;
  /** Only if it was asked for. */
  generatedPin?: Secret;
}

/** The part of a request's time in which members are changed: the rest is for the answer. */
const workShare = 0.8;

/**
 * Begins a rotation, or continues the one that is under way. A member that is away gets the new PIN when it returns.
 * @throws CUSTOM_KEY_STORE_NOT_FOUND, CUSTOM_KEY_STORE_INVALID_STATE (not connected; another rotation; a member that
 *   refused the change before any had made it), VALIDATION
 */
export async function rotatePin(
  core: KeyStoreAdministration,
  { request }: { request: RotatePinRequest },
  context: RequestContext,
): Promise<RotatePinResponse> {
  try {
    requireRandomPin(request);
    const { store, ofDefault } = await storeOf(core, context, request.customKeyStoreId);
    const open = await openRotation(core, store, request.keyStorePassword);
    const rotation = open ?? newPinRotation(core, store, request.keyStorePassword);
    if (request.dryRun === true) return report(rotation);
    await requireConnected(core, context, store);
    // Two calls may come to this at once. The PIN of the second is on no member, and must not be shown as if it were.
    if (open === undefined && !(await core.pinRotationCatalog.beginPinRotation(rotation, ofDefault)))
      throw begunMeanwhile(store);
    const nowMs = core.clock.monotonicMs();
    const failure = await core.pinRotations.advance(
      store.customKeyStoreId,
      nowMs + (context.deadlineMs - nowMs) * workShare,
    );
    const response = await outcome(core, store, rotation, failure);
    if (request.showPin !== true) return response;
    return { ...response, generatedPin: new Secret(unsealPassword(core.passwordSealer, rotation)) };
  } finally {
    request.keyStorePassword?.destroy();
  }
}

/** `ofDefault`: what the default key store's rotation records besides. @throws CUSTOM_KEY_STORE_NOT_FOUND */
async function storeOf(
  core: KeyStoreAdministration,
  { principal }: RequestContext,
  keyStoreId: string,
): Promise<{ store: SealedPin; ofDefault?: DefaultPinRecord }> {
  if (core.defaultPin === null || keyStoreId !== core.defaultClusterId)
    return { store: await requireStore(core, principal, keyStoreId) };
  const ofDefault = await core.defaultPin.sealed();
  return { store: ofDefault, ofDefault };
}

async function requireConnected(
  core: KeyStoreAdministration,
  { principal }: RequestContext,
  { customKeyStoreId, clusterId }: SealedPin,
): Promise<void> {
  if (customKeyStoreId !== clusterId) {
    const store = await requireStore(core, principal, customKeyStoreId);
    if (store.connectionState !== 'CONNECTED') throw invalidState(store, 'use');
    return;
  }
  if (core.isDefaultConnected()) return;
  const message = 'The default key store is not connected, so nobody knows that its PIN is right.';
  throw new HoldfastError('CUSTOM_KEY_STORE_INVALID_STATE', message, { retryable: true, retryAfterMs: 1_000 });
}

/** A PIN that the caller has given is not shown again, and a dry run makes none. */
function requireRandomPin({ showPin, keyStorePassword, dryRun }: RotatePinRequest): void {
  if (showPin !== true || (keyStorePassword === undefined && dryRun !== true)) return;
  const description = 'Not together with a password or a dry run: it shows the random PIN that is set.';
  throw new HoldfastError('VALIDATION', `show_pin: ${description}`, {
    fieldViolations: [{ field: 'show_pin', description }],
  });
}

async function openRotation(
  { pinRotationCatalog, passwordSealer }: KeyStoreAdministration,
  store: SealedPin,
  password: Secret | undefined,
): Promise<PinRotation | undefined> {
  const rotations = await pinRotationCatalog.listPinRotations();
  const rotation = rotations.find(({ customKeyStoreId }) => customKeyStoreId === store.customKeyStoreId);
  if (rotation === undefined || password === undefined) return rotation;
  if (isPasswordOf(passwordSealer, rotation, password)) return rotation;
  throw new HoldfastError(
    'CUSTOM_KEY_STORE_INVALID_STATE',
    `The PIN of key store ${store.customKeyStoreId} is being changed to another one. Continue without a password.`,
    { retryable: false },
  );
}

async function outcome(
  core: KeyStoreAdministration,
  store: SealedPin,
  begun: PinRotation,
  failure: PinTrialFailure | undefined,
): Promise<RotatePinResponse> {
  const rotations = await core.pinRotationCatalog.listPinRotations();
  const open = rotations.find(({ customKeyStoreId }) => customKeyStoreId === store.customKeyStoreId);
  if (open !== undefined) return { ...report(open), ...(failure && { pendingMemberName: failure.memberName }) };
  const current = await findSealedPin({ ...core.keyStoreCatalog, ...core.pinRotationCatalog }, store.customKeyStoreId);
  if (current?.passwordVersion !== begun.passwordVersion) throw notChanged(store, failure);
  const pin = new Secret(unsealPassword(core.passwordSealer, begun));
  try {
    // An update that ended the rotation may have the same version.
    if (!isPasswordOf(core.passwordSealer, current, pin)) throw begunMeanwhile(store);
  } finally {
    pin.destroy();
  }
  const members = begun.members.map(({ memberName }) => ({ memberName, phase: 'NEW' as const }));
  return { complete: true, members };
}

function begunMeanwhile({ customKeyStoreId }: SealedPin): HoldfastError {
  const message = `Another call has changed the PIN of key store ${customKeyStoreId}, or began to. Try again.`;
  return new HoldfastError('CUSTOM_KEY_STORE_INVALID_STATE', message, { retryable: true });
}

function notChanged(store: SealedPin, failure: PinTrialFailure | undefined): HoldfastError {
  const why =
    failure === undefined
      ? 'It was ended by another request.'
      : `Member ${failure.memberName} did not change it (${failure.errorCode}); the log has its answer.`;
  return new HoldfastError(
    'CUSTOM_KEY_STORE_INVALID_STATE',
    `The PIN of key store ${store.customKeyStoreId} is the old one on every member. ${why}`,
    { cause: failure?.cause, retryable: false },
  );
}

function report({ members }: PinRotation): RotatePinResponse {
  const shown = members.map(({ memberName, phase }) => ({ memberName, phase: upper(phase) }));
  return { complete: false, members: shown };
}

function upper(phase: PinPhase): Uppercase<PinPhase> {
  return phase.toUpperCase() as Uppercase<PinPhase>;
}

/** The descriptor of RotatePin, with its function. */
export const rotatePinOperation = onKeyStore<RotatePinRequest>({
  plane: 'control',
  audited: ['customKeyStoreId', 'dryRun', 'showPin'],
  action: 'holdfast:RotatePin',
  run: rotatePin,
});
