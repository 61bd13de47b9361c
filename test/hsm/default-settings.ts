/** The settings of breakers and recovery as they ship: the configuration's defaults. */
import { breakerSettings, recoverySettings } from '../../src/composition/cluster-options.js';
import { configurationSchema } from '../../src/config/schema.js';

const recovery = configurationSchema.shape.recovery.parse(undefined);

export const defaultBreakerSettings = breakerSettings(recovery);
export const defaultRecoverySettings = recoverySettings(recovery);
