import { afterEach, beforeEach, describe } from 'vitest';
import type { ChangeFeed } from '../../src/coordination/change-feed.js';
import type { Catalog } from '../../src/storage/database.js';
import { aliasContract } from './catalog-aliases.contract.js';
import { changesContract } from './catalog-changes.contract.js';
import { intentContract } from './catalog-intents.contract.js';
import { encryptionReservationsContract } from './catalog-encryption-reservations.contract.js';
import { keyContract } from './catalog-keys.contract.js';
import { leasesContract } from './catalog-leases.contract.js';
import { loginAttemptsContract } from './catalog-login-attempts.contract.js';
import { storeContract } from './catalog-stores.contract.js';

/** A catalog and the feed of its changes. */
export type CatalogWithFeed = Catalog & { readonly changes: ChangeFeed };

/** An empty catalog for one test. */
export interface OpenedCatalog {
  catalog: CatalogWithFeed;
  /** The catalog through another connection, as another process sees it. */
  another: () => Promise<CatalogWithFeed>;
  /** Resolves when the database's clock has advanced this far. */
  passTime: (ms: number) => Promise<void>;
  /** Steps the wall clock of every process. */
  stepWallClock: (ms: number) => void;
  dispose(): Promise<void>;
}

/** Every promise of the catalog's ports (`keys/catalog.ts`, `keystores/catalog.ts`, `coordination/`), for any database behind them. */
export function catalogContract(name: string, open: () => Promise<OpenedCatalog>): void {
  describe(name, () => {
    let opened: OpenedCatalog;
    beforeEach(async () => {
      opened = await open();
    });
    afterEach(() => opened.dispose());

    const current = (): OpenedCatalog => opened;
    describe('intents', () => intentContract(current));
    describe('keys and materials', () => keyContract(current));
    describe('reserved encryptions', () => encryptionReservationsContract(current));
    describe('aliases', () => aliasContract(current));
    describe('custom key stores', () => storeContract(current));
    describe('leases', () => leasesContract(current));
    describe('changes', () => changesContract(current));
    describe('login attempts', () => loginAttemptsContract(current));
  });
}
