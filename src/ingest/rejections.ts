/**
 * The one door for input that can never be an event, whatever way it came in. A way in whose producer gets no answer, or
 * one that we must stand by, waits until it is kept; HTTP has told its producer, so of a flood of refusals a sample is
 * kept and the rest is counted.
 */
import type { BusinessId } from "../domain/ids.ts"
import type { FieldError } from "../domain/json-limits.ts"
import { service } from "../runtime/actor.ts"
import type { ChildSpec } from "../runtime/child-spec.ts"
import type { Clock, Timer } from "../runtime/clock.ts"
import { type Database, databaseProblem } from "../store/database.ts"
import { insertRejected, type RejectedContent, type RejectedRow } from "../store/rejected.ts"
import type { Emitter } from "../telemetry/bus.ts"
import { describeError } from "../telemetry/scrub.ts"

export interface RejectedInput {
  readonly via: "http" | "resources" | "nats" | "zoho" | "webhook" | "twilio" | "resend" | "telegram" | "slack"
  /** The code of the problem, from a closed set: what operators' counts go by. */
  readonly code: string
  /** Whose it was, where that is known for certain: the admins of that business see it. */
  readonly business: BusinessId | null
  /** A subject and sequence, a webhook's name, a route. Never a secret. */
  readonly origin: string
  readonly detail: string
  readonly errors: readonly FieldError[]
  /** What came in, whole; its first 16 KiB are kept. Null where it is not there any more. Asked only if it is kept. */
  readonly raw: Uint8Array | null | (() => Uint8Array | null)
  /**
   * The name of this very delivery, where it may be brought to us again (a place in a stream): it is counted once.
   * Null: the same bytes once more are one more input, counted in the same row.
   */
  readonly identity: string | null
}

export interface Rejections {
  /** Durable when it resolves. Rejects as the database does: then nothing may be acknowledged. */
  keep(inputs: readonly RejectedInput[]): Promise<void>
  /** Never waits and never fails. Written within a second where the database answers: a sample, its counts the whole. */
  note(input: RejectedInput): void
  /** Writes what is noted, at the latest when it is stopped. */
  readonly child: ChildSpec
}

export interface RejectionsOptions {
  readonly db: Database
  readonly clock: Clock
  readonly telemetry: Emitter
}

const RAW_BYTES = 16 * 1024
const ORIGIN_LENGTH = 500
/** Rows for notes: so many at once, one a second in the long run. A month of flood is still a table that can be read. */
const BURST = 20
const PER_SECOND = 1
const WRITE_MS = 500
const RETRY_MS = 5_000
/** Kinds of refusals (door, code, business) whose last row is known, so that more of them can be counted there. */
const MOST_KINDS = 200
/** Rows that wait for a database which is away. */
const MOST_WAITING = 2 * MOST_KINDS

export function createRejections({ db, clock, telemetry }: RejectionsOptions): Rejections {
  const wall = (): number => clock.wall().getTime()
  const lastOfKind = new Map<string, RejectedRow>()
  let waiting = new Map<string, RejectedRow>()
  let tokens = BURST
  let filledAt = clock.now()
  let timer: Timer | null = null
  let writing: Promise<void> | null = null

  const takeToken = (): boolean => {
    const now = clock.now()
    tokens = Math.min(BURST, tokens + ((now - filledAt) / 1_000) * PER_SECOND)
    filledAt = now
    if (tokens < 1) return false
    tokens -= 1
    return true
  }

  const add = (row: RejectedRow): void => {
    const key = row.fingerprint.toString("base64")
    const known = waiting.get(key)
    if (known === undefined && waiting.size >= MOST_WAITING) return
    waiting.set(key, known === undefined ? row : { ...known, count: known.count + row.count })
  }

  const schedule = (ms: number): void => {
    if (writing !== null) return
    timer ??= clock.after(ms, () => {
      timer = null
      void write()
    })
  }

  const unschedule = (): void => {
    timer?.cancel()
    timer = null
  }

  /** Never rejects. */
  const write = async (): Promise<void> => {
    writing ??= (async () => {
      const rows = waiting
      waiting = new Map()
      let next = WRITE_MS
      try {
        await insertRejected(db, [...rows.values()], "counted", wall())
      } catch (error) {
        if (databaseProblem(error) === "away") {
          next = RETRY_MS
          for (const row of rows.values()) add(row)
        } else telemetry.emit({ kind: "bug_found", where: "rejected input", error: describeError(error) })
      }
      writing = null
      if (waiting.size > 0) schedule(next)
    })()
    return writing
  }

  return {
    async keep(inputs) {
      const [named, counted] = [inputs.filter((i) => i.identity !== null), inputs.filter((i) => i.identity === null)]
      if (named.length > 0) await insertRejected(db, named.map(rowOf), "ignored", wall())
      if (counted.length > 0) await insertRejected(db, counted.map(rowOf), "counted", wall())
    },
    note(input) {
      const kind = JSON.stringify([input.via, input.code, input.business])
      const last = lastOfKind.get(kind)
      if (last !== undefined && !takeToken()) add({ ...last, count: 1 })
      else {
        const row = rowOf(input)
        add(row)
        lastOfKind.delete(kind)
        lastOfKind.set(kind, row)
        const [oldest] = lastOfKind.keys()
        if (lastOfKind.size > MOST_KINDS && oldest !== undefined) lastOfKind.delete(oldest)
      }
      schedule(WRITE_MS)
    },
    child: service({
      id: "rejections",
      start: () => ({
        async stop() {
          unschedule()
          await writing
          if (waiting.size > 0) await write()
          unschedule()
        },
      }),
    }),
  }
}

function rowOf(input: RejectedInput): RejectedRow {
  const { via, code, business } = input
  const raw = typeof input.raw === "function" ? input.raw() : input.raw
  const origin = sound(input.origin).slice(0, ORIGIN_LENGTH).toWellFormed()
  const hash = new Bun.CryptoHasher("sha256")
  if (input.identity !== null) hash.update(JSON.stringify([via, input.identity]))
  else hash.update(JSON.stringify([via, code, business, origin])).update(raw ?? JSON.stringify(input.errors))
  return { via, code, business, origin, fingerprint: hash.digest(), count: 1, content: contentOf(input, raw) }
}

/** PostgreSQL's text takes neither. */
const sound = (text: string): string => text.replaceAll("\0", "").toWellFormed()

function contentOf({ detail, errors }: RejectedInput, raw: Uint8Array | null): RejectedContent {
  if (raw === null) return { detail, errors, raw: null, rawBase64: null, bytes: null }
  const head = raw.subarray(0, RAW_BYTES)
  const text = textOf(head, raw.byteLength > RAW_BYTES)
  const rawBase64 = text === null ? Buffer.from(head).toString("base64") : null
  return { detail, errors, raw: text, rawBase64, bytes: raw.byteLength }
}

/** UTF-8 text; a character that the cut went through is left out. Null where it is no text. */
function textOf(bytes: Uint8Array, cut: boolean): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: cut })
  } catch {
    return null
  }
}
