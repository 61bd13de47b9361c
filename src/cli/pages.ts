import { CliError, exitCodes } from './exit-codes.js';

/** One page of a list, as the AWS KMS API cuts them. */
export interface Page<Item> {
  items: readonly Item[];
  nextMarker?: string | undefined;
  truncated?: boolean | undefined;
}

/** AWS KMS API Reference, ListKeys, NextMarker. */
const longestMarker = 1_024;

/** All items of all pages. Throws CliError where the pages are none that an end can come of, or that leave something out in silence. */
export async function allPages<Item>(read: (marker: string | undefined) => Promise<Page<Item>>): Promise<Item[]> {
  const all: Item[] = [];
  const markers = new Set<string>();
  let marker: string | undefined;
  do {
    const page = await read(marker);
    all.push(...page.items);
    marker = page.truncated === true ? nextMarker(page.nextMarker, markers) : undefined;
  } while (marker !== undefined);
  return all;
}

function nextMarker(marker: string | undefined, seen: Set<string>): string {
  if (marker === undefined || marker === '') throw badList('says that there is more, and not where it begins');
  if (marker.length > longestMarker) throw badList(`has a marker of ${marker.length} characters`);
  if (seen.has(marker)) throw badList('leads back to a page that was read before');
  seen.add(marker);
  return marker;
}

function badList(what: string): CliError {
  return new CliError(exitCodes.refused, 'BAD_ANSWER', `the server's list ${what}`, {
    hint: 'what answers is no Holdfast server, or a proxy changes what it says',
  });
}
