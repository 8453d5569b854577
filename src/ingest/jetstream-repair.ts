/**
 * The stream and the consumer that events come by: made where they are missing, mended where they would lose messages,
 * and otherwise left as their operator wants them. Every node does this, at its start and every few seconds.
 */
import {
  AckPolicy,
  type ConsumerConfig,
  type ConsumerInfo,
  DeliverPolicy,
  DiscardPolicy,
  type JetStreamManager,
  NatsError,
  nanos,
  ReplayPolicy,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from "nats"
import { STREAM_AGE_MS } from "../domain/jetstream.ts"
import type { JetStreamRepair } from "../telemetry/events.ts"

export const STREAM = "HUB_EVENTS"
export const CONSUMER = "hub"
const SUBJECTS = ["hub.events.>", "hub.resources.>"] as const
const DUPLICATES_MS = 120_000
/**
 * For all nodes together. What one has in hand is bounded by its requests; this bounds acks that a crash of NATS forgot,
 * which count until their ack wait is over. At 512 a crash under load, or a few, held up everything for half a minute.
 */
const MAX_ACK_PENDING = 65_536

/** Less than two looks are apart: what was passed by one consumer is never taken for that of its successor. */
const SAME_MS = 4_000

const STREAM_NOT_FOUND = 10059
const CONSUMER_NOT_FOUND = 10014
const MESSAGE_NOT_FOUND = 10037

export interface RepairOptions {
  readonly ackWaitMs: number
  readonly repaired: (what: JetStreamRepair) => void
  /** What the look before this one saw; null at the first. */
  readonly before: Progress | null
}

/** How the stream may be pulled from, and what waits in it. */
export interface StreamState {
  /** What is wrong and not ours to change, for the operator; messages are fetched all the same. */
  readonly troubles: readonly string[]
  /** The operator's limits for one request; null: none. */
  readonly maxBatch: number | null
  readonly maxExpiresMs: number | null
  /** Not delivered yet. */
  readonly pending: number
  /** Delivered to some node and not let go of. */
  readonly unacked: number
  /** For the next look. */
  readonly progress: Progress
}

/** A message of the stream. Its time tells it from another that got its number after a loss. */
interface Place {
  readonly sequence: number
  readonly at: string
}

/** How far a consumer has come, over several looks. */
export interface Progress {
  /** When it was made: another one under its name begins anew. */
  readonly consumer: string
  /** Everything up to here is stored; null: not known yet. */
  readonly passed: Place | null
  /** The stream's end at some look: passed, once all before it is acknowledged. */
  readonly ahead: Place
}

/** Looks, and mends. Throws where NATS does not answer or the consumer cannot be as it must. */
export async function repair(jsm: JetStreamManager, options: RepairOptions): Promise<StreamState> {
  const { troubles, end, keeps } = await repairStream(jsm, options)
  const standing = await repairConsumer(jsm, options)
  const replaced = keeps ? await putBack(jsm, standing, options) : null
  const { config, num_pending, num_ack_pending } = replaced ?? standing
  return {
    troubles,
    progress: progressOf(options.before, replaced ?? standing, end),
    maxBatch: limit(config.max_batch),
    maxExpiresMs: limit((config.max_expires ?? 0) / 1_000_000),
    pending: num_pending,
    unacked: num_ack_pending,
  }
}

const limit = (value: number | undefined): number | null => (value === undefined || value <= 0 ? null : value)

interface FoundStream {
  readonly troubles: readonly string[]
  readonly end: Place
  /** Whether a message stays while it has no consumer. */
  readonly keeps: boolean
}

async function repairStream(jsm: JetStreamManager, { repaired }: RepairOptions): Promise<FoundStream> {
  const info = await found(() => jsm.streams.info(STREAM), STREAM_NOT_FOUND)
  if (info === null) {
    const { state } = await jsm.streams.add({
      name: STREAM,
      subjects: [...SUBJECTS],
      // What is acknowledged stays for other readers and for a reset of the consumer; the database knows duplicates.
      retention: RetentionPolicy.Limits,
      storage: StorageType.File,
      max_age: nanos(STREAM_AGE_MS),
      discard: DiscardPolicy.Old,
      duplicate_window: nanos(DUPLICATES_MS),
    })
    repaired("stream_created")
    return { troubles: [], end: endOf(state), keeps: true }
  }
  const { config } = info
  const [end, keeps] = [endOf(info.state), config.retention === RetentionPolicy.Limits]
  const wanted = subjectsOf(config)
  const troubles: string[] = []
  if (config.sealed) troubles.push(`the stream ${STREAM} is sealed: nothing can be published to it`)
  if (config.mirror !== undefined) troubles.push(`the stream ${STREAM} is a mirror: subjects are its origin's`)
  if (wanted === null || troubles.length > 0) return { troubles, end, keeps }
  try {
    await jsm.streams.update(STREAM, { ...config, subjects: [...wanted] })
    repaired("subjects_restored")
  } catch (error) {
    if (!(error instanceof NatsError) || error.api_error === undefined) throw error
    troubles.push(`the stream ${STREAM} lacks subjects and does not take them: ${error.api_error.description}`)
  }
  return { troubles, end, keeps }
}

const endOf = ({ last_seq, last_ts }: { last_seq: number; last_ts: string }): Place => ({
  sequence: last_seq,
  at: last_ts,
})

/** The subjects that the stream should have; null where it has ours. A stream's own subjects must not overlap. */
function subjectsOf(config: StreamConfig): readonly string[] | null {
  const present = config.subjects ?? []
  const missing = SUBJECTS.filter((subject) => !present.some((pattern) => covers(pattern, subject)))
  if (missing.length === 0) return null
  return [...present.filter((pattern) => !missing.some((subject) => covers(subject, pattern))), ...missing]
}

/** Whether every subject that fits `narrow` fits `wide`. */
export function covers(wide: string, narrow: string): boolean {
  const [wides, narrows] = [wide.split("."), narrow.split(".")]
  for (const [index, token] of wides.entries()) {
    if (token === ">") return narrows.length > index
    const other = narrows[index]
    if (other === undefined || other === ">" || (token !== "*" && token !== other)) return false
  }
  return wides.length === narrows.length
}

async function repairConsumer(jsm: JetStreamManager, { ackWaitMs, repaired }: RepairOptions): Promise<ConsumerInfo> {
  const info = await found(() => jsm.consumers.info(STREAM, CONSUMER), CONSUMER_NOT_FOUND)
  const make = () =>
    jsm.consumers.add(STREAM, {
      durable_name: CONSUMER,
      ack_policy: AckPolicy.Explicit,
      // All: whoever has no place reads everything, which the database absorbs.
      deliver_policy: DeliverPolicy.All,
      replay_policy: ReplayPolicy.Instant,
      ack_wait: nanos(ackWaitMs),
      max_deliver: -1,
      max_ack_pending: MAX_ACK_PENDING,
    })
  if (info === null) {
    const made = await make()
    repaired("consumer_created")
    return made
  }
  const { config } = info
  const changes = changesTo(config, ackWaitMs)
  if (!mustBeReplaced(config)) {
    if (Object.keys(changes).length === 0) return info
    const updated = await jsm.consumers.update(STREAM, CONSUMER, changes)
    repaired("consumer_updated")
    return updated
  }
  await jsm.consumers.delete(STREAM, CONSUMER)
  const replaced = await make()
  repaired("consumer_replaced")
  return replaced
}

/**
 * A server that is killed while it writes a consumer's place begins from the start (2.9), and new messages would wait
 * behind a week of old ones. The consumer is made anew where all before is known to be stored. Null: nothing was done.
 */
async function putBack(
  jsm: JetStreamManager,
  { created, ack_floor, config }: ConsumerInfo,
  { before, repaired }: RepairOptions,
): Promise<ConsumerInfo | null> {
  const passed = before?.passed ?? null
  if (before === null || passed === null || ack_floor.stream_seq >= passed.sequence || !isSame(before, created))
    return null
  // A stream that lost its end gives the same numbers to other messages: then everything is read.
  const there = await found(() => jsm.streams.getMessage(STREAM, { seq: passed.sequence }), MESSAGE_NOT_FOUND)
  if (there?.timestamp !== passed.at) return null
  await jsm.consumers.delete(STREAM, CONSUMER)
  const { opt_start_time: _, ...kept } = config
  const made = await jsm.consumers.add(STREAM, {
    ...kept,
    deliver_policy: DeliverPolicy.StartSequence,
    opt_start_seq: passed.sequence + 1,
  })
  repaired("consumer_replaced")
  return made
}

/**
 * A restarted server (2.9) gives another time of making than before: that of its file, microseconds later, or as long as a
 * busy disk took.
 */
const isSame = ({ consumer }: Progress, created: string): boolean =>
  Math.abs(Date.parse(consumer) - Date.parse(created)) < SAME_MS

function progressOf(before: Progress | null, { created, ack_floor }: ConsumerInfo, end: Place): Progress {
  if (before === null || !isSame(before, created) || ack_floor.stream_seq < (before.passed?.sequence ?? 0))
    return { consumer: created, passed: null, ahead: end }
  return ack_floor.stream_seq < before.ahead.sequence ? before : { consumer: created, passed: before.ahead, ahead: end }
}

/** What cannot be changed in place: it acknowledges by itself, pushes, sees a part only, or lets messages come back in no time. */
const mustBeReplaced = (config: ConsumerConfig): boolean =>
  config.ack_policy !== AckPolicy.Explicit ||
  (config.deliver_subject ?? "") !== "" ||
  ((config.filter_subject ?? "") !== "" && config.filter_subject !== ">") ||
  (config.filter_subjects ?? []).length > 0 ||
  config.headers_only === true ||
  (config.backoff ?? []).length > 0

/** An operator may be stricter, never laxer. */
function changesTo(config: ConsumerConfig, ackWaitMs: number): Partial<ConsumerConfig> {
  const pending = config.max_ack_pending ?? 0
  return {
    ...((config.ack_wait ?? 0) < nanos(ackWaitMs) ? { ack_wait: nanos(ackWaitMs) } : {}),
    ...((config.max_deliver ?? -1) > 0 ? { max_deliver: -1 } : {}),
    ...(pending <= 0 || pending > MAX_ACK_PENDING ? { max_ack_pending: MAX_ACK_PENDING } : {}),
  }
}

async function found<T>(ask: () => Promise<T>, notFound: number): Promise<T | null> {
  try {
    return await ask()
  } catch (error) {
    if (error instanceof NatsError && error.api_error?.err_code === notFound) return null
    throw error
  }
}
