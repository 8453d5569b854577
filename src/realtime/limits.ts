import { HISTORY_MESSAGES } from "../domain/stream.ts"

/** Every bound of a socket in one place: what one client can make the hub hold or do. */
export interface RealtimeLimits {
  /** Sockets that are let in a second, after a burst of twice as many. */
  readonly socketsPerSecond: number
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
  /** Frames of any kind: so many at once, then so many a second; who sends more is ended with 1008. */
  readonly frameBurst: number
  readonly framesPerSecond: number
  /** Joins: so many at once, then so many a second. */
  readonly joinBurst: number
  readonly joinsPerSecond: number
  /** Pushes, of all topics together: so many at once, then so many a second. */
  readonly pushBurst: number
  readonly pushesPerSecond: number
  /** What a join with `recover` may bring back. */
  readonly recoveredMessages: number
  readonly recoveredBytes: number
  /** What the state of one topic's presence may come to: with a diff of all of it, below the backlog. */
  readonly presenceBytes: number
  /** What presence sends to all sockets of this node together, about; changes wait for others then, 2 s at most. */
  readonly presenceBytesPerSecond: number
  readonly joinTimeoutMs: number
  /** Many sockets are closed spread over this long at a drain. */
  readonly drainMs: number
  readonly sweepMs: number
  /** Long polling: how long a poll is held; a session ends after half as long again without one. */
  readonly pollWindowMs: number
  /** What one POST may hold. */
  readonly pollBodyBytes: number
  readonly pollLines: number
  /** Frames that wait for one session's next poll, and characters for those of all sessions. */
  readonly pollMessages: number
  readonly pollBufferedBytes: number
  readonly pollSessions: number
}

export const defaultLimits: RealtimeLimits = {
  socketsPerSecond: 2_000,
  frameBytes: 256 * 1024,
  idleSeconds: 90,
  backlogBytes: 1024 * 1024,
  politeBacklogBytes: 768 * 1024,
  topicsPerSocket: 100,
  waitingFrames: 100,
  frameBurst: 500,
  framesPerSecond: 50,
  joinBurst: 200,
  joinsPerSecond: 20,
  pushBurst: 100,
  pushesPerSecond: 20,
  recoveredMessages: HISTORY_MESSAGES,
  // In one frame, so below the polite backlog: else whoever reads slowly is dropped for it each time they come back.
  recoveredBytes: 704 * 1024,
  presenceBytes: 384 * 1024,
  presenceBytesPerSecond: 64 * 1024 * 1024,
  joinTimeoutMs: 8_000, // below the client's own 10 s, so that it hears why
  drainMs: 3_000,
  sweepMs: 1_000,
  pollWindowMs: 10_000,
  pollBodyBytes: 1024 * 1024,
  pollLines: 100,
  pollMessages: 5_000,
  pollBufferedBytes: 64 * 1024 * 1024,
  pollSessions: 10_000,
}

/** The limits that follow from the setting: who may join more may also come back with all of it. */
export const joinLimits = (
  topicsPerSocket: number,
): Pick<RealtimeLimits, "topicsPerSocket" | "joinBurst" | "frameBurst"> => ({
  topicsPerSocket,
  joinBurst: Math.max(defaultLimits.joinBurst, 2 * topicsPerSocket),
  // What it joins at once is no flood.
  frameBurst: Math.max(defaultLimits.frameBurst, 300 + 2 * topicsPerSocket),
})
