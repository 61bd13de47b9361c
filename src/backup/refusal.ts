/** Why an archive is refused. Each is a stable word for programs; the message explains it to people. */
export const refusalReasons = [
  'absent',
  'not-an-archive',
  'unsupported-version',
  'truncated',
  'too-long',
  'malformed',
  'out-of-order',
  'duplicate',
  'wrong-cluster',
  'wrong-generation',
  'wrong-count',
  'wrong-digest',
  'unsound-catalog',
  'not-authentic',
  'trailing-bytes',
] as const;
/** One of `refusalReasons`. */
export type RefusalReason = (typeof refusalReasons)[number];

/** An archive that is not what it should be. Nothing of it may be used, including what was read before. */
export class ArchiveRefusal extends Error {
  override readonly name = 'ArchiveRefusal';
  readonly reason: RefusalReason;

  constructor(reason: RefusalReason, message: string) {
    super(message);
    this.reason = reason;
  }
}
