/** One page of a list, as the AWS KMS API cuts them. */
export interface Page<Item> {
  items: readonly Item[];
  nextMarker?: string | undefined;
  truncated?: boolean | undefined;
}

/** All items of all pages. */
export async function allPages<Item>(read: (marker: string | undefined) => Promise<Page<Item>>): Promise<Item[]> {
  const all: Item[] = [];
  let marker: string | undefined;
  do {
    const page = await read(marker);
    all.push(...page.items);
    marker = page.truncated === true ? page.nextMarker : undefined;
  } while (marker !== undefined);
  return all;
}
