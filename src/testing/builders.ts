/** Small makers of domain values for tests: what a test does not name gets a plain default. */
import { createHash } from "node:crypto"
import type { NewDelivery } from "../domain/delivery.ts"
import type { NewEvent } from "../domain/event.ts"
import {
  asBusinessId,
  asLocationId,
  asRecipientId,
  type BusinessId,
  type LocationId,
  type RecipientId,
} from "../domain/ids.ts"
import { namedOnly, type Recipient } from "../domain/recipient.ts"
import type { Incoming } from "../store/events.ts"

const sure = <T>(value: T | null, text: string): T => {
  if (value === null) throw new Error(`not a valid id: ${text}`)
  return value
}

export const business = (text: string): BusinessId => sure(asBusinessId(text), text)
export const location = (text: string): LocationId => sure(asLocationId(text), text)
export const recipientId = (text: string): RecipientId => sure(asRecipientId(text), text)

/** An event of `default`'s `test.happened`, changed as asked. */
export const newEvent = (changes: Partial<NewEvent> = {}): NewEvent => ({
  type: "test.happened",
  source: "tests",
  severity: "info",
  business: business("b1"),
  location: null,
  occurredAt: Date.UTC(2026, 2, 2, 9),
  idempotencyKey: null,
  correlationId: null,
  payload: {},
  extensions: {},
  ...changes,
})

/** The event as it goes into the store. */
export const incoming = (changes: Partial<NewEvent> = {}, streams: Incoming["streams"] = []): Incoming => {
  const event = newEvent(changes)
  const content = JSON.stringify([event.type, event.severity, event.location, event.payload])
  return { event, contentHash: createHash("sha256").update(content).digest(), streams }
}

/** A recipient of business `b1` with no address, changed as asked. */
export const recipient = (id: string, changes: Partial<Recipient> = {}): Recipient => ({
  ...namedOnly(recipientId(id), business("b1")),
  ...changes,
})

/** What a delivery is of which nothing more is said. */
export const PLAIN_DELIVERY = {
  action: 0,
  round: null,
  expiresAt: null,
  holdUnknown: false,
  failover: false,
  wishes: false,
} as const satisfies Partial<NewDelivery>
