/**
 * Why too many users may read a file with a secret; undefined if only the right ones may. A file of our own must have
 * mode 0600 or stricter. A file of root may have 0440 or stricter: orchestrators mount secrets that way, and root could
 * make us read any file of its own anyway.
 */
export function exposureOf(
  { mode, uid }: { mode: number; uid: number },
  ourUid: number | undefined,
): string | undefined {
  if (uid === 0 && (mode & 0o337) === 0) return undefined;
  const octal = (mode & 0o777).toString(8).padStart(4, '0');
  if (uid !== ourUid) {
    return uid === 0
      ? `belongs to root and is open to others (mode ${octal}); chmod 440 it, with a group of the user that reads it`
      : `belongs to another user (uid ${uid}); chown it to the user that reads it`;
  }
  return (mode & 0o077) === 0 ? undefined : `is open to others (mode ${octal}); chmod 600 it`;
}
