/**
 * Reads a tar archive of an image's root. Only the archive has the image's owners and modes, whichever user unpacks it.
 */
import { execute } from '../steps.mjs';

/** @returns owner and permission bits of each path, e.g. of `usr/bin/env` */
export async function archivedOwners(archive) {
  const listing = await execute('tar', ['--numeric-owner', '--quoting-style=literal', '-tvf', archive]);
  return new Map(listing.split('\n').flatMap(entryOf));
}

/** E.g. `-rwsr-xr-x 0/0 35664 2026-11-26 11:34 ./usr/bin/su`; a link continues with ` -> ` or ` link to `. */
function entryOf(line) {
  const fields = /^(\S)(\S{9})\S* (\d+)\/\d+ +\S+ \S+ \S+ (?:\.\/)?(.*)$/.exec(line);
  if (fields === null) return [];
  const [, kind, permissions, uid, name] = fields;
  const path = name.replace(kind === 'l' ? / -> .*$/ : kind === 'h' ? / link to .*$/ : /\/$/, '');
  return [[path, { mode: modeOf(permissions), uid: Number(uid) }]];
}

/** Parses `rwxr-xr-x`; `s`, `S`, `t` and `T` are setuid, setgid and sticky in place of an `x`. */
function modeOf(permissions) {
  const bits = [...permissions].map((letter) => (/[-ST]/.test(letter) ? '0' : '1')).join('');
  const special = [2, 5, 8].map((place) => (/[sStT]/.test(permissions[place]) ? '1' : '0')).join('');
  return Number.parseInt(special + bits, 2);
}
