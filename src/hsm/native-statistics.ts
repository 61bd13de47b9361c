/** The present state of an open member. `logins` counts from `addMember` on, through all its module instances. */
export interface NativeMemberStatistics {
  member: number;
  epoch: number;
  /** Admitted: resumed, with lanes, and not stopped by too many hanging ones. */
  admitted: boolean;
  /** Lanes with a session, idle or at work. */
  lanes: number;
  /** The present maximum number of lanes: `laneCount`, or less if the token had no session for more. */
  laneTarget: number;
  quarantinedLanes: number;
  /** Work that this member could take: posted to it by name and, while it is admitted, all that waits for a set of members that includes it. */
  queued: number;
  running: number;
  logins: number;
  cachedHandles: number;
  /** Module instances with something alive (1 while it is open, one for each that hangs), and the threads inside its module. */
  openings: number;
  threadsInside: number;
  /** Operations that its lanes have ended with success since `addMember`, of callers and of our own. */
  operations: number;
  /** How long its lanes have been at work since `addMember`, in milliseconds, failed operations included. */
  busyMs: number;
}
