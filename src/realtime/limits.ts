/** Every bound of a socket in one place: what one client can make the hub hold or do. */
export interface RealtimeLimits {
  /** A larger frame from a client ends the connection with 1009. */
  readonly frameBytes: number
  /** Seconds without a frame from the client. */
  readonly idleSeconds: number
  /** What a client may leave unread before its connection is cut. */
  readonly backlogBytes: number
  /** From here on the sweep closes it politely, with 1013. */
  readonly politeBacklogBytes: number
  readonly topicsPerSocket: number
  /** Frames that wait behind a join or a push of their own topic. */
  readonly waitingFrames: number
  /** Joins: so many at once, then so many a second. */
  readonly joinBurst: number
  readonly joinsPerSecond: number
  /** What a join with `recover` may bring back. */
  readonly recoveredMessages: number
  readonly recoveredBytes: number
  readonly joinTimeoutMs: number
  /** Many sockets are closed spread over this long at a drain. */
  readonly drainMs: number
  readonly sweepMs: number
}

export const defaultLimits: RealtimeLimits = {
  frameBytes: 256 * 1024,
  idleSeconds: 90,
  backlogBytes: 1024 * 1024,
  politeBacklogBytes: 768 * 1024,
  topicsPerSocket: 100,
  waitingFrames: 100,
  joinBurst: 200,
  joinsPerSecond: 20,
  recoveredMessages: 1_000,
  recoveredBytes: 1024 * 1024,
  joinTimeoutMs: 8_000, // below the client's own 10 s, so that it hears why
  drainMs: 3_000,
  sweepMs: 1_000,
}
