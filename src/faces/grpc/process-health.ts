/** The name under which health tells whether the process is sound, or wants to be replaced because an HSM is stuck in it. */
export const processHealthName = 'holdfast.process';
