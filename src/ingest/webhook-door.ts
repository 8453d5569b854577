/**
 * What the signed ways in share behind the signature: the event and its bytes in one commit before the answer (contract
 * §5.1), and what is authentic but can be no event is kept, because its sender will not read our answer.
 */
import type { BusinessId } from "../domain/ids.ts"
import { PROBLEMS, type Problem, unavailable } from "../http/problem.ts"
import { json, type Reply } from "../http/route.ts"
import type { Clock } from "../runtime/clock.ts"
import type { Emitter } from "../telemetry/bus.ts"
import type { Accept } from "./accept.ts"
import { type Draft, place } from "./draft.ts"
import { notStored } from "./item.ts"
import type { RateLimits } from "./rate-limit.ts"
import { passage, UNLIMITED } from "./rate-limit-answer.ts"
import type { Rejections } from "./rejections.ts"

export interface WebhookOptions {
  readonly accept: Accept
  readonly clock: Clock
  readonly telemetry: Emitter
  readonly rejections: Pick<Rejections, "keep">
  /** Of the business and the type: a webhook's caller is its source. Null: nothing is limited. */
  readonly limits?: RateLimits | null
}

/** Something that came in and whose sender is known. */
export interface Authentic {
  /** Null: it names one that cannot be. */
  readonly business: BusinessId | null
  /** The source, in words for operators. */
  readonly origin: string
  /** As they were signed. */
  readonly body: Uint8Array
}

export interface WebhookDoor {
  /** An answer of ours, counted where it is a refusal. */
  answered<T extends Reply | Problem>(given: T): T
  /** Stores the event that `read` makes of it, or keeps it with the reason why there is none. */
  take(authentic: Authentic, read: () => Draft | Problem): Promise<Reply | Problem>
}

export function webhookDoor(via: "zoho" | "webhook", options: WebhookOptions): WebhookDoor {
  const { accept, clock, telemetry, rejections, limits = null } = options

  const store = async (draft: Draft, body: Uint8Array): Promise<Reply | Problem> => {
    const placed = place(draft, { tenancy: "*", now: clock.wall().getTime() })
    if (placed.kind === "not_yours") throw new Error("a webhook's business is its source's")
    const load = { caller: null, events: [placed.incoming.event] }
    const passed = limits === null ? UNLIMITED : passage(await limits.admit(load))
    if (passed.kind === "problem") return passed
    const results = await accept([{ ...placed.incoming, rawBody: body }], via)
    if (typeof results === "string") return unavailable("not stored in time; send it again", 5)
    const [result] = results
    if (result === undefined) throw new Error("accept gave no result")
    switch (result.kind) {
      case "accepted":
        return json(201, { id: result.id, status: result.kind }, passed.headers)
      case "duplicate":
        return json(200, { id: result.id, status: result.kind }, { ...passed.headers, "idempotent-replayed": "true" })
      case "reused":
      case "unstorable":
        return notStored(result, draft.pointers.key)
    }
  }

  const answered: WebhookDoor["answered"] = (given) => {
    if (given.kind === "problem") telemetry.emit({ kind: "event_rejected", via, code: given.code, count: 1 })
    return given
  }

  return {
    answered,
    async take({ business, origin, body }, read) {
      const found = read()
      const given = answered("kind" in found ? found : await store(found, body))
      // What came too fast is sent again, and is no fault of what it says.
      if (given.kind === "problem" && given.code !== "rate_limited" && PROBLEMS[given.code].status < 500) {
        const { code, detail, errors } = given
        await rejections.keep([{ via, code, business, origin, detail, errors, raw: body, identity: null }])
      }
      return given
    },
  }
}
