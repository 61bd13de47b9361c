export function archivedOwners(archive: string): Promise<Map<string, { mode: number; uid: number }>>;
