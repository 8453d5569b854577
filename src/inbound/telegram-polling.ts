/**
 * Telegram's updates where no webhook was set (contract §3): asked for by one node at a time, under a lease, and confirmed
 * by asking for the next ones, so what was not taken comes again. What a webhook would answer is a call of its own here.
 */
import { isJsonObject, type Json } from "../domain/json.ts"
import type { Secret } from "../domain/secret.ts"
import { service } from "../runtime/actor.ts"
import type { ChildSpec } from "../runtime/child-spec.ts"
import type { Clock } from "../runtime/clock.ts"
import { pause } from "../runtime/pause.ts"
import { claimChore, leaveChore, renewChore } from "../store/chores.ts"
import { type Database, databaseProblem } from "../store/database.ts"
import { counted, type DoorOptions } from "./door.ts"
import { createEffects, type EffectsOptions } from "./effects.ts"
import { type TakeUpdate, telegramUpdates } from "./telegram.ts"

export interface PollingOptions extends Omit<DoorOptions, "effects">, EffectsOptions {
  readonly token: Secret
  /** Without a slash at the end. */
  readonly apiRoot: string
  /** How long Telegram holds a question to which there is nothing to say. Default 25 s. */
  readonly holdSeconds?: number
}

const CHORE = "telegram_updates"
const HOLD_S = 25
/** Beyond it nobody will answer any more. */
const PATIENCE_MS = 10_000
/** Longer than a question takes. */
const LEASE_MS = 60_000
/** Somebody else asks; he may be gone. */
const LOOK_MS = 15_000
const FIRST_WAIT_MS = 1_000
const LONGEST_WAIT_MS = 60_000
const MOST_UPDATES = 100
/** So many of the longest, each an answer to another, are some 6 MB. */
const MOST_BYTES = 16 * 1024 * 1024

/** Nothing else depends on it: it comes back by itself. */
const BACKOFF = { minMs: 1_000, maxMs: 60_000 } as const

/** The service `telegram-updates`. */
export const telegramPolling = (options: PollingOptions): ChildSpec =>
  service({
    id: "telegram-updates",
    backoff: BACKOFF,
    start(ctx) {
      const running = new Polling(options, ctx.signal).run().catch((error: unknown) => ctx.fail(error))
      return { stop: () => running }
    },
  })

class Polling {
  readonly #options: PollingOptions
  readonly #db: Database
  readonly #clock: Clock
  readonly #signal: AbortSignal
  readonly #take: TakeUpdate
  readonly #holder = crypto.randomUUID()
  #mine = false
  #offset: number | null = null
  #trouble: string | null = null
  #failures = 0

  constructor(options: PollingOptions, signal: AbortSignal) {
    this.#options = options
    this.#db = options.db
    this.#clock = options.clock
    this.#signal = signal
    this.#take = telegramUpdates({ ...options, effects: createEffects(options) })
  }

  /** Ends with its signal. Rejects for a bug alone. */
  async run(): Promise<void> {
    while (!this.#signal.aborted) {
      const waitMs = await this.#turn().catch((error: unknown) => {
        if (databaseProblem(error) === null) throw error
        this.#mine = false
        return LOOK_MS
      })
      if (waitMs > 0) await pause(this.#clock, waitMs, this.#signal)
    }
    // Where it cannot be given back it runs out.
    if (this.#mine) await leaveChore(this.#db, CHORE, this.#holder, false).catch(() => undefined)
  }

  /** Asks once; answers for how long to leave it then, in milliseconds. */
  async #turn(): Promise<number> {
    this.#mine = this.#mine ? await renewChore(this.#db, CHORE, this.#holder, LEASE_MS) : await this.#claim()
    if (!this.#mine) return LOOK_MS
    const began = this.#clock.now()
    const { holdSeconds = HOLD_S } = this.#options
    const answer = await this.#call("getUpdates", {
      timeout: holdSeconds,
      limit: MOST_UPDATES,
      allowed_updates: ["message", "callback_query"],
      ...(this.#offset === null ? {} : { offset: this.#offset }),
    })
    if (this.#signal.aborted) return 0
    if ("trouble" in answer) return this.#failed(answer.trouble, answer.waitMs)
    this.#well()
    const updates = Array.isArray(answer.result) ? answer.result : []
    for (const update of updates) if (!(await this.#hand(update))) return this.#again()
    this.#failures = 0
    // Who answers "nothing" at once would be asked without end.
    return updates.length > 0 || this.#clock.now() - began >= FIRST_WAIT_MS ? 0 : FIRST_WAIT_MS
  }

  async #claim(): Promise<boolean> {
    const times = { leaseMs: LEASE_MS, restMs: 0 }
    return (await claimChore(this.#db, CHORE, this.#holder, times)).kind === "claimed"
  }

  /** False: it was not stored in time, and is to come again. */
  async #hand(update: Json): Promise<boolean> {
    const body = new TextEncoder().encode(JSON.stringify(update))
    const given = await counted("telegram", body, await this.#take(body), this.#options)
    if (given.kind === "problem" && given.code === "unavailable") return false
    const id = isJsonObject(update) ? update["update_id"] : null
    if (typeof id === "number") this.#offset = id + 1
    if (given.kind === "reply" && given.body !== null) {
      const { method, ...fields } = JSON.parse(given.body) as { readonly method: string } // as `telegram.ts` has written it
      // Whoever pressed sees no word then, and the press has counted.
      await this.#call(method, fields)
    }
    return true
  }

  async #call(method: string, fields: Readonly<Record<string, unknown>>): Promise<Called> {
    const { token, apiRoot, holdSeconds = HOLD_S } = this.#options
    const giveUp = AbortSignal.any([this.#signal, AbortSignal.timeout(holdSeconds * 1_000 + PATIENCE_MS)])
    try {
      const response = await fetch(`${apiRoot}/bot${token.reveal()}/${method}`, {
        method: "POST",
        headers: { "content-type": "application/json", "accept-encoding": "identity" },
        body: JSON.stringify(fields),
        redirect: "error",
        // What unpacks to a thousand times its size is not unpacked.
        decompress: false,
        signal: giveUp,
      })
      const body: unknown = JSON.parse(await textWithin(response, MOST_BYTES))
      if (response.ok && isJsonObject(body) && body["ok"] === true) return { result: body["result"] ?? null }
      return troubleOf(response.status, body)
    } catch {
      // The error may name the address, and the token is in it.
      return { trouble: "unreachable", waitMs: null }
    }
  }

  #failed(trouble: string, waitMs: number | null): number {
    if (trouble !== this.#trouble) this.#options.telemetry.emit({ kind: "telegram_updates_down", reason: trouble })
    this.#trouble = trouble
    return waitMs ?? this.#again()
  }

  #well(): void {
    if (this.#trouble !== null) this.#options.telemetry.emit({ kind: "telegram_updates_up" })
    this.#trouble = null
  }

  #again(): number {
    this.#failures += 1
    return Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (this.#failures - 1))
  }
}

/** Throws beyond `most` bytes, and reads no further. */
async function textWithin(response: Response, most: number): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  // Left by the throw, the loop cancels the rest.
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength
    if (size > most) throw new Error(`more than ${most} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString("utf8")
}

type Called = { readonly result: Json } | { readonly trouble: string; readonly waitMs: number | null }

/** `conflict`: a webhook is set, or somebody else asks with this bot's token. */
function troubleOf(status: number, body: unknown): Called {
  if (status === 401 || status === 404) return { trouble: "bad_credential", waitMs: LONGEST_WAIT_MS }
  if (status === 409) return { trouble: "conflict", waitMs: LONGEST_WAIT_MS }
  const parameters = isJsonObject(body) ? body["parameters"] : null
  const wish = isJsonObject(parameters) ? parameters["retry_after"] : null
  if (status === 429 && typeof wish === "number")
    return { trouble: "rate_limited", waitMs: Math.min(LONGEST_WAIT_MS, Math.max(FIRST_WAIT_MS, wish * 1_000)) }
  return { trouble: "provider_error", waitMs: null }
}
