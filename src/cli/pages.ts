import { CliError, exitCodes } from './exit-codes.js';

/** One page of a list, in the form of the AWS KMS API. */
export interface Page<Item> {
  items: readonly Item[];
  nextMarker?: string | undefined;
  truncated?: boolean | undefined;
}

/** AWS KMS API Reference, ListKeys, NextMarker. */
const maxMarkerLength = 1_024;

/** All items of all pages, at most `most`. Throws as `eachItem`. */
export async function allPages<Item>(
  read: (marker: string | undefined) => Promise<Page<Item>>,
  most = Number.POSITIVE_INFINITY,
): Promise<Item[]> {
  const all: Item[] = [];
  for await (const item of eachItem(read)) {
    all.push(item);
    if (all.length >= most) break;
  }
  return all;
}

/** One item after the other; a page is read when it is needed. Throws CliError if the pages cannot end, or would silently leave items out. */
export async function* eachItem<Item>(
  read: (marker: string | undefined) => Promise<Page<Item>>,
): AsyncGenerator<Item, void, undefined> {
  const markers = new Set<string>();
  let marker: string | undefined;
  do {
    const page = await read(marker);
    yield* page.items;
    marker = page.truncated === true ? nextMarker(page.nextMarker, markers) : undefined;
  } while (marker !== undefined);
}

function nextMarker(marker: string | undefined, seen: Set<string>): string {
  if (marker === undefined || marker === '') throw badList('says that there is more, but not where it begins');
  if (marker.length > maxMarkerLength) throw badList(`has a marker of ${marker.length} characters`);
  if (seen.has(marker)) throw badList('leads back to a page that was read before');
  seen.add(marker);
  return marker;
}

function badList(what: string): CliError {
  return new CliError(exitCodes.refused, 'BAD_ANSWER', `the server's list ${what}`, {
    hint: 'this is not a Holdfast server, or a proxy changes its answers',
  });
}
