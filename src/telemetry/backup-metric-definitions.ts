import type { MetricDefinition } from './metric-definitions.js';

/** The gauges of backups; a part of `gaugeDefinitions`. */
export const backupGaugeDefinitions = {
  backupInterval: {
    name: 'holdfast_backup_interval_seconds',
    help: 'How often a backup is scheduled; no series without a schedule.',
    labels: [],
  },
  backupTime: {
    name: 'holdfast_backup_last_complete_timestamp_seconds',
    help: 'When the newest complete archive in the folder was begun, in seconds since 1970; no series if there is none.',
    labels: [],
  },
  backupDuration: {
    name: 'holdfast_backup_last_complete_duration_seconds',
    help: 'How long making the newest complete archive took.',
    labels: [],
  },
  backupSize: {
    name: 'holdfast_backup_last_complete_size_bytes',
    help: 'Length of the newest complete archive in bytes.',
    labels: [],
  },
  backupKeyMaterials: {
    name: 'holdfast_backup_last_complete_key_materials',
    help: 'Key materials in the newest complete archive.',
    labels: [],
  },
  backupVerifiedTime: {
    name: 'holdfast_backup_last_verified_timestamp_seconds',
    help: 'When an archive was last verified, in seconds since 1970; no series if none in the folder was.',
    labels: [],
  },
  backupIncomplete: {
    name: 'holdfast_backup_incomplete',
    help: '1 if the last backup failed or lacks keys, else 0.',
    labels: [],
  },
  backupRefused: {
    name: 'holdfast_backup_refused',
    help: '1 if the last verification refused its archive, or did not find its file, else 0.',
    labels: [],
  },
  backupAbsent: {
    name: 'holdfast_backup_absent_archives',
    help: 'Archives whose file should be in the folder and is not, or is not as it was.',
    labels: [],
  },
} as const satisfies Record<string, MetricDefinition>;
