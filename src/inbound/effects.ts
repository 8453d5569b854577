/**
 * What an answer does, whoever brought it: each in one transaction with the mark that it has happened, so that an answer
 * that comes again does nothing. A reply is an event, whose key is that mark.
 */
import type { AnsweringChannel } from "../domain/address.ts"
import type { EndedWaiting } from "../domain/delivery.ts"
import { HUB_SOURCE } from "../domain/event.ts"
import type { DeliveryId } from "../domain/ids.ts"
import type { Preferences } from "../domain/preferences.ts"
import type { Receipt, SuppressionReason } from "../domain/receipt.ts"
import { inboxNewsOf } from "../http/inbox-news.ts"
import type { Accept } from "../ingest/accept.ts"
import { place } from "../ingest/draft.ts"
import type { News, PubSub } from "../pubsub/pubsub.ts"
import type { Clock } from "../runtime/clock.ts"
import type { Database, Queryable } from "../store/database.ts"
import { isFirst, toldAt, toldBy } from "../store/inbound.ts"
import { acknowledgeTold } from "../store/notifications.ts"
import { changePreferencesIn } from "../store/preferences.ts"
import { type Reported, recordReceipt } from "../store/receipts.ts"
import { heardFrom, resume, type Suppressed, suppress } from "../store/suppressions.ts"
import type { Emitter } from "../telemetry/bus.ts"
import { tellOfEnds } from "../telemetry/ends.ts"

export const REPLY_EVENT = "reply.received"

/** `known`: it had happened. `unknown`: it is about nothing that is kept here. `late`: not stored in time, to be sent again. */
export type Effect = "done" | "known" | "unknown" | "late"

/** Who brings an answer, and its own name for it. */
export interface Answering {
  readonly via: "twilio" | "resend" | "telegram" | "slack"
  /** At most 255 characters with the door's name; other answers of the door have others. */
  readonly id: string
}

export interface Reply {
  readonly delivery: DeliveryId
  readonly channel: AnsweringChannel | "slack"
  readonly text: string
  /** What the channel has of its own. */
  readonly more?: Readonly<Record<string, string>>
}

export interface Effects {
  report(by: Answering, what: Reported, receipt: Receipt, suppressed: SuppressionReason | null): Promise<Effect>
  suppress(by: Answering, what: Suppressed, reason: SuppressionReason): Promise<Effect>
  /** Whatever was written from there: what a provider has said of it is over. */
  heard(channel: AnsweringChannel, address: string): Promise<void>
  resume(by: Answering, channel: AnsweringChannel, address: string): Promise<Effect>
  /** For all whom the delivery told. */
  acknowledge(by: Answering, delivery: DeliveryId): Promise<Effect>
  reply(by: Answering, reply: Reply): Promise<Effect>
}

export interface EffectsOptions {
  readonly db: Database
  readonly accept: Accept
  readonly pubsub: PubSub
  readonly clock: Clock
  readonly telemetry: Emitter
}

interface Done {
  readonly effect: Effect
  readonly news?: readonly News[]
  readonly ended?: readonly EndedWaiting[]
}

const MAX_REPLY = 4_000

export function createEffects({ db, accept, pubsub, clock, telemetry }: EffectsOptions): Effects {
  const once = async ({ via, id }: Answering, act: (tx: Queryable) => Promise<Done>): Promise<Effect> => {
    const done = await db.transaction(
      async (tx): Promise<Done> => ((await isFirst(tx, `${via} ${id}`)) ? act(tx) : { effect: "known" }),
    )
    if (done.news !== undefined && done.news.length > 0) pubsub.publish(done.news)
    tellOfEnds(telemetry, done.ended ?? [])
    return done.effect
  }

  /** For what was to be sent and is not, the next channel may be due. */
  const goesOn = (stopped: readonly EndedWaiting[]): readonly News[] =>
    stopped.length === 0 ? [] : [{ kind: "timers_set", at: clock.wall().getTime() }]

  return {
    report: (by, what, receipt, suppressed) =>
      once(by, async (tx) => {
        const found = await recordReceipt(tx, what, receipt)
        if (found === null) return { effect: "unknown" }
        const stopped = suppressed === null ? [] : (await suppress(tx, found, suppressed)).stopped
        return {
          effect: found.changed ? "done" : "known",
          news: [{ kind: "deliveries_changed", ids: [found.delivery] }, ...goesOn(stopped)],
          ended: stopped,
        }
      }),
    suppress: (by, what, reason) =>
      once(by, async (tx) => {
        const { changed, stopped } = await suppress(tx, what, reason)
        return { effect: changed ? "done" : "known", news: goesOn(stopped), ended: stopped }
      }),
    async heard(channel, address) {
      await heardFrom(db, channel, address)
    },
    resume: (by, channel, address) =>
      once(by, async (tx) => {
        // Whoever had said no on a page as well has said yes since.
        for (const recipient of await toldAt(tx, channel, address))
          await changePreferencesIn(tx, recipient, (now) => withoutRefusal(now, channel))
        const resumed = await resume(tx, channel, address)
        return { effect: resumed ? "done" : "known" }
      }),
    acknowledge: (by, delivery) =>
      once(by, async (tx) => {
        const { items, calledOff } = await acknowledgeTold(tx, delivery)
        if (items.length === 0) return { effect: "unknown" }
        return { effect: "done", news: inboxNewsOf(items), ended: calledOff }
      }),
    async reply({ via, id }, { delivery, channel, text, more = {} }) {
      const told = await toldBy(db, delivery)
      if (told === null) return "unknown"
      const placed = place(
        {
          type: REPLY_EVENT,
          source: HUB_SOURCE,
          severity: "info",
          business: told.business,
          location: told.location,
          occurredAt: null,
          idempotencyKey: `${via} ${id}`,
          correlationId: told.correlationId,
          payload: {
            channel,
            text: storable(text),
            user_id: told.recipients[0] ?? null,
            recipient_ids: [...told.recipients],
            delivery_id: told.delivery,
            notification_ids: [...told.notifications],
            event_id: told.event,
            rule: told.rule,
            ...more,
          },
          extensions: {},
          pushed: false,
          pointers: { business: "", location: "", key: "" },
        },
        { tenancy: "*", now: clock.wall().getTime() },
      )
      if (placed.kind !== "placed") throw new Error("a delivery's business is its event's")
      const results = await accept([placed.incoming], via)
      if (typeof results === "string") return "late"
      return results[0]?.kind === "accepted" ? "done" : "known"
    },
  }
}

function withoutRefusal(now: Preferences, channel: AnsweringChannel): Preferences | null {
  if (now.channels[channel] !== false) return null
  const { [channel]: _, ...channels } = now.channels
  return { ...now, channels }
}

/** As much of what somebody typed as an event holds. */
export const storable = (text: string): string => text.slice(0, MAX_REPLY).replaceAll("\0", "").toWellFormed()
