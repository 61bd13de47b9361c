/** The health name that says whether the process is sound, or wants to be replaced because an HSM is stuck in it. */
export const processHealthName = 'holdfast.process';

/** Liveness: SERVING for as long as the process answers at all, whatever it can do. For supervisors that restart. */
export const liveHealthName = 'holdfast.live';

/** The name of one key store. @param keyStore `default`, or the id of a custom one */
export function keyStoreHealthName(keyStore: string): string {
  return `holdfast.key-store.${keyStore}`;
}
