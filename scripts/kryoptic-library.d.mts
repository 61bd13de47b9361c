/** Where `scripts/build-kryoptic.mjs` puts the library, whether it is there or not. */
export function kryopticLibrary(): string;
