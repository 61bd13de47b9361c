/** The port to the catalog's list of the materials that every member of a cluster should have. */
export interface ExpectedMaterials {
  /**
   * Ids (hex) of the materials of all keys of a cluster that are not being deleted. Never rejects: if the catalog cannot
   * be read, it says so elsewhere and answers with none. Then a missing material is noticed at its first use.
   */
  idsOf(clusterId: string): Promise<readonly string[]>;
}
