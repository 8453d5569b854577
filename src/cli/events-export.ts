/**
 * `hub events export`: recorded events and recipients as lines of JSON, for `hub rules backtest --events` where there is
 * no way to the database. Payloads are as they came; of people it holds ids, roles, lists and wishes, and of their
 * addresses only which are there and which are the same.
 */

import { eventView } from "../domain/event.ts"
import { asBusinessId } from "../domain/ids.ts"
import type { Json, JsonObject } from "../domain/json.ts"
import type { Recipient } from "../domain/recipient.ts"
import { preferencesJson } from "../http/preferences-body.ts"
import { openDatabase } from "../store/database.ts"
import { type RecordedPerson, recordedEvents, recordedPeople } from "../store/replay.ts"
import { type Command, flags, Misuse, settings } from "./command.ts"
import { readSpan } from "./span.ts"
import { withDatabaseUrl } from "./with-database.ts"

const OPTIONS = {
  since: { type: "string", default: "7d" },
  until: { type: "string" },
  business: { type: "string" },
} as const

export const eventsExport: Command = {
  name: "events export",
  usage: "[--since 7d] [--until time] [--business b1] [--json] > events.ndjson",
  summary: "write recorded events and recipients, without addresses, for rules backtest --events",
  async run(invocation) {
    const { values } = flags(invocation, OPTIONS, 0)
    const span = readSpan({ since: values.since, until: values.until }, Date.now())
    const business = values.business === undefined ? null : asBusinessId(values.business)
    if (values.business !== undefined && business === null)
      throw new Misuse("--business: expected [A-Za-z0-9_.-]{1,64}")
    const write = (line: JsonObject): void => invocation.out(JSON.stringify(line))
    await withDatabaseUrl(settings(invocation), invocation, async (url) => {
      const db = openDatabase({ url, max: 2, applicationName: "hub-export" })
      try {
        const stand = new StandIns()
        for await (const people of recordedPeople(db)) {
          for (const person of people) write({ recipient: personJson(person, stand) })
        }
        for await (const page of recordedEvents(db, { ...span, business })) {
          for (const one of page) {
            if ("event" in one)
              write({
                event: { ...eventView(one.event), payload: one.event.payload, extensions: one.event.extensions },
              })
            else write({ event: { id: one.id, accepted_at: new Date(one.acceptedAt).toISOString(), payload: null } })
          }
        }
      } finally {
        await db.close()
      }
    })
    return 0
  },
}

/** Numbers in the place of addresses: the same for the same, and nothing of it can be read back. */
class StandIns {
  readonly #numbers = new Map<string, number>()

  of(address: string | null, shape: (number: number) => string): string | null {
    if (address === null) return null
    const number = this.#numbers.get(address) ?? this.#numbers.size + 1
    this.#numbers.set(address, number)
    return shape(number)
  }
}

function personJson({ recipient, preferences, lists }: RecordedPerson, stand: StandIns): Json {
  const { id, memberships, locale, timezone, email, phone, telegramChatId, slackWebhookUrl }: Recipient = recipient
  return {
    id,
    memberships: memberships.map(({ business, locations, roles }) => ({
      business_id: business,
      location_ids: locations === null ? null : [...locations],
      roles: [...roles],
    })),
    locale,
    timezone,
    email: stand.of(email, (number) => `${number}@example.invalid`),
    phone: stand.of(phone, (number) => `+999${String(number).padStart(8, "0")}`),
    telegram_chat_id: stand.of(telegramChatId, String),
    slack_webhook_url: stand.of(slackWebhookUrl, (number) => `https://slack.invalid/${number}`),
    lists: Object.fromEntries([...lists].map(([business, names]) => [business, [...names]])),
    preferences: preferences === null ? null : preferencesJson(preferences),
  }
}
