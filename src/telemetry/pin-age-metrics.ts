import type { KeyStoreStatus } from '../status/service-status.js';
import type { MetricDefinition } from './metric-definitions.js';

const labels = ['key_store', 'cluster'] as const;

/** The gauges of the ages of PINs; a part of `gaugeDefinitions`. */
export const pinAgeGaugeDefinitions = {
  pinSince: {
    name: 'holdfast_key_store_pin_since_timestamp_seconds',
    help: 'Since when the key store has its present PIN, in seconds since 1970.',
    labels,
  },
  pinMaximumAge: {
    name: 'holdfast_key_store_pin_maximum_age_seconds',
    help: 'How old the PIN of the key store may be; no series if the configuration does not say.',
    labels,
  },
  pinRotationFailed: {
    name: 'holdfast_key_store_pin_rotation_failed',
    help: '1 if a scheduled rotation of the present PIN was begun and did not succeed, else 0.',
    labels,
  },
} as const satisfies Record<string, MetricDefinition>;

/** The gauges, as `Metrics` has them. */
type PinAgeGauges = Record<
  keyof typeof pinAgeGaugeDefinitions,
  { reset(): void; set(of: Record<(typeof labels)[number], string>, value: number): void }
>;

/** Shows what is known of the key stores' PINs. */
export function showPinAges(
  { pinSince, pinMaximumAge, pinRotationFailed }: PinAgeGauges,
  keyStores: readonly { labels: Record<(typeof labels)[number], string>; pinAge: KeyStoreStatus['pinAge'] }[],
): void {
  for (const gauge of [pinSince, pinMaximumAge, pinRotationFailed]) gauge.reset();
  for (const { labels: of, pinAge } of keyStores) {
    if (pinAge === undefined) continue;
    pinSince.set(of, pinAge.sinceDate.getTime() / 1_000);
    if (pinAge.maximumAgeMs !== null) pinMaximumAge.set(of, pinAge.maximumAgeMs / 1_000);
    pinRotationFailed.set(of, pinAge.rotationFailed ? 1 : 0);
  }
}
