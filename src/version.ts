/** The version of this build; package.json says the same, which a test checks. */
export const version = '0.1.0';
