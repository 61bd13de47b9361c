/** The library path of `scripts/build-kryoptic.mjs`, whether the file exists or not. */
export function kryopticLibrary(): string;
