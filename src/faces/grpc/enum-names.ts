/** The enums whose values have other names in the domain than in the proto. Names without the enum's prefix. */
const renamed: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  // AWS writes key states in Pascal case (AWS KMS API Reference, KeyMetadata.KeyState).
  KeyState: {
    CREATING: 'Creating',
    ENABLED: 'Enabled',
    DISABLED: 'Disabled',
    PENDING_DELETION: 'PendingDeletion',
    PENDING_IMPORT: 'PendingImport',
    PENDING_REPLICA_DELETION: 'PendingReplicaDeletion',
    UNAVAILABLE: 'Unavailable',
    UPDATING: 'Updating',
  },
  // The configuration's spelling.
  Replication: { NONE: 'none', VENDOR: 'vendor', WRAPPED: 'wrapped' },
  Trust: { ENFORCED: 'enforced', UNENFORCED: 'unenforced' },
};

/** @returns the domain's name for each value of an enum whose name differs from the proto's */
export function enumNames(enumName: string): Readonly<Record<string, string>> {
  return renamed[enumName] ?? {};
}
