/**
 * The keys of test files beside the rules, as `language.ts` has those of rules. What a step holds happens in the order of its
 * keys here.
 */
import { CHANNELS, SENDING_CHANNELS } from "../../domain/channel.ts"
import type { JsonObject } from "../../domain/json.ts"
import { flag, list, MAX_NAMES, ref, text, type Vocabulary, type Word, whole, words } from "../language/language.ts"
import { TELLING_STATUSES } from "./told.ts"

export const MAX_TESTS_PER_FILE = 1_000
export const MAX_TEST_STEPS = 200
export const MAX_TEST_EVENTS = 1_000
export const MAX_TEST_PEOPLE = 1_000
export const MAX_COUNT = 1_000

export const FATES_OF_SENDING = ["delivered", "rejected", "unknown"] as const
/** A channel as an expectation names it. */
export const TOLD_ON = [...CHANNELS, "webhook", "broadcast"] as const

const moment: JsonObject = { type: "string", examples: ["2026-01-05T09:00:00Z"] }
const strings = (example: string): JsonObject => list(text(200, example), MAX_NAMES)
const id: JsonObject = { type: ["string", "integer"], examples: ["u1"] }

const HEAD: Readonly<Record<string, Word>> = {
  at: { doc: "When the test begins. Default Monday, 2026-01-05T09:00:00Z.", value: moment },
  timezone: { doc: "Of recipients who name none.", value: text(60, "Asia/Baghdad") },
  recipients: {
    doc: "Who there is, as in PUT /v1/recipients, with `prefs` and `lists`. Those of the file are in each of its tests.",
    value: list(ref("recipient"), MAX_TEST_PEOPLE),
  },
}

export const STEP: Vocabulary = {
  of: "a step",
  doc: "Whatever it holds, in this order.",
  keys: {
    channel_fails: {
      doc: "What channels make of messages from now on: `rejected` (definitely not sent), `unknown`, or `delivered` again.",
      value: { type: "object", additionalProperties: words(FATES_OF_SENDING), propertyNames: words(SENDING_CHANNELS) },
    },
    event: { doc: "One event that comes.", value: ref("event") },
    events: { doc: "Events that come, one after the other.", value: list(ref("event"), MAX_TEST_EVENTS) },
    acknowledge: { doc: "Somebody acknowledges what a rule told.", value: ref("reaction") },
    read: { doc: "Somebody reads what a rule told.", value: ref("reaction") },
    advance: { doc: "So much time passes.", value: ref("duration") },
    expect: {
      doc: "What has been told since the expectations before. Of each at least one; an empty list: nothing.",
      value: { type: "array", items: ref("expectation"), maxItems: MAX_NAMES },
    },
    expect_not: { doc: "What has not been told since then.", value: list(ref("expectation"), MAX_NAMES) },
    nothing_else: { doc: "Nothing has been told, or waits to be sent, that `expect` does not name.", value: flag },
  },
  oldSpellings: {
    wait: "advance",
    sleep: "advance",
    ack: "acknowledge",
    expected: "expect",
    not_expect: "expect_not",
    expects: "expect",
  },
}

export const TEST: Vocabulary = {
  of: "a test",
  doc: "What comes, and what is to be told of it. Either the keys of one step, or `steps`.",
  keys: {
    name: { doc: "A sentence.", value: text(300), required: true },
    ...HEAD,
    ...STEP.keys,
    steps: { doc: "One after the other.", value: list(ref("step"), MAX_TEST_STEPS) },
  },
  oldSpellings: { ...STEP.oldSpellings, given: "recipients", when: "events", users: "recipients" },
}

export const TEST_FILE: Vocabulary = {
  of: "a test file",
  doc: "Tests of rules.",
  keys: {
    ...HEAD,
    tests: { doc: "Each begins anew.", value: list(ref("test"), MAX_TESTS_PER_FILE), required: true },
  },
  oldSpellings: { test: "tests" },
}

export const TEST_EVENT: Vocabulary = {
  of: "an event",
  doc: "As in POST /v1/events.",
  keys: {
    type: { doc: "What happened.", value: text(256, "invoice.overdue"), required: true },
    source: { doc: "Which system says so. Default `test`.", value: text(256, "invoicing") },
    severity: { doc: "Default info.", value: ref("severity") },
    business_id: { doc: "Default `default`.", value: id },
    location_id: { doc: "Where.", value: id },
    occurred_at: { doc: "Default: when it comes.", value: moment },
    idempotency_key: { doc: "For rules that look at it.", value: text(255) },
    correlation_id: { doc: "For rules that look at it.", value: text(255) },
    payload: { doc: "What is known of it.", value: { type: "object" } },
    after: { doc: "It comes so long after what was before.", value: ref("duration") },
    at: { doc: "It comes at this moment.", value: moment },
  },
  oldSpellings: { event_type: "type", business: "business_id", location: "location_id", data: "payload" },
  together: { not: { required: ["after", "at"] } },
}

export const RECIPIENT: Vocabulary = {
  of: "a recipient",
  doc: "Somebody who can be told.",
  keys: {
    id: { doc: "As in the path of PUT /v1/recipients/{id}.", value: id, required: true },
    memberships: { doc: "Businesses, where there are several.", value: list(ref("membership"), MAX_NAMES) },
    business_id: { doc: "Default `default`.", value: id },
    location_ids: { doc: "Without it: everywhere.", value: list(id, MAX_NAMES) },
    roles: { doc: "In the business.", value: strings("accountant") },
    name: { doc: "As messages call them.", value: text(200) },
    email: { doc: "For `email`.", value: text(320, "u1@example.com") },
    phone: { doc: "For `sms` and `voice`.", value: text(20, "+9647701234567") },
    telegram_chat_id: { doc: "For `telegram`.", value: { type: ["string", "integer"] } },
    slack_webhook_url: { doc: "For `slack`.", value: text(2_000) },
    slack_user_id: { doc: "For `slack`.", value: text(32) },
    device_tokens: { doc: "For `push`.", value: list(ref("device"), MAX_NAMES) },
    locale: { doc: "Their language.", value: text(40, "ar") },
    timezone: { doc: "An IANA name.", value: text(60, "Asia/Baghdad") },
    lists: { doc: "Lists that they are on.", value: strings("vip") },
    prefs: { doc: "What they wish, as in PUT /v1/prefs.", value: ref("prefs") },
  },
  oldSpellings: {
    user_id: "id",
    role: "roles",
    locations: "location_ids",
    preferences: "prefs",
    list: "lists",
    telegram: "telegram_chat_id",
  },
}

export const MEMBERSHIP: Vocabulary = {
  of: "a membership",
  doc: "What somebody is in a business.",
  keys: {
    business_id: { doc: "Default `default`.", value: id },
    location_ids: { doc: "Without it: everywhere.", value: list(id, MAX_NAMES) },
    roles: { doc: "In the business.", value: strings("accountant") },
  },
  oldSpellings: { role: "roles", locations: "location_ids", business: "business_id" },
}

export const DEVICE: Vocabulary = {
  of: "a device",
  doc: "What somebody is told on.",
  keys: {
    platform: { doc: "`web`, `android` or `ios`.", value: text(20, "android"), required: true },
    token: { doc: "Any text: nothing is sent.", value: text(4_096), required: true },
  },
}

const byChannel = (value: JsonObject): JsonObject => ({
  type: "object",
  propertyNames: words(CHANNELS),
  additionalProperties: value,
})

export const PREFS: Vocabulary = {
  of: '"prefs"',
  doc: "What somebody wishes.",
  keys: {
    channels: { doc: "False: not on this channel.", value: byChannel({ type: "boolean" }) },
    categories: {
      doc: "The same, of one category.",
      value: { type: "object", additionalProperties: byChannel({ type: "boolean" }) },
    },
    severity_min: { doc: "Nothing less, on this channel.", value: byChannel(ref("severity")) },
    quiet_hours: { doc: "Held back until they end.", value: ref("quiet_hours") },
  },
}

export const QUIET_HOURS: Vocabulary = {
  of: '"quiet_hours"',
  doc: "Hours of the day.",
  keys: {
    from: { doc: "A time of day.", value: text(5, "22:00"), required: true },
    to: { doc: "A time of day.", value: text(5, "07:00"), required: true },
    timezone: { doc: "Default: the recipient's, else UTC.", value: text(60, "Asia/Baghdad") },
  },
}

export const REACTION: Vocabulary = {
  of: "a reaction",
  doc: "To the latest that this rule has told this person.",
  keys: {
    rule: { doc: "The rule's name.", value: text(100), required: true },
    by: { doc: "A recipient's id.", value: id, required: true },
  },
  oldSpellings: { to: "by", user: "by" },
}

export const TELLING: Vocabulary = {
  of: "an expectation",
  doc: "Only what is named is compared. Without `status` and `reason`: something that was delivered.",
  keys: {
    rule: { doc: "The rule that tells.", value: text(100) },
    to: { doc: "Who is told; a list: each of them.", value: { anyOf: [id, list(id, MAX_NAMES)] } },
    channels: {
      doc: "Exactly these, in any order; those without an address, say, are a telling of their own, that is suppressed.",
      value: { type: "array", items: words(["in_app", ...TOLD_ON]), minItems: 1, uniqueItems: true },
    },
    title: { doc: "The inbox item's, whole.", value: { type: "string" } },
    subject: { doc: "The mail's, whole.", value: { type: "string" } },
    body: { doc: "A part of what stands in one of the messages.", value: { type: "string" } },
    status: { doc: "What became of it. Default delivered.", value: words(TELLING_STATUSES, "delivered") },
    reason: { doc: "Why: `throttled`, `quiet_hours`, `no_address`, `digest`, …", value: { type: "string" } },
    at: { doc: "When it was told, or is to be.", value: moment },
    after: { doc: "So long after the event that it tells of, exactly.", value: ref("duration") },
    within: { doc: "So long after the event that it tells of, at most.", value: ref("duration") },
    count: { doc: "Exactly so often.", value: whole(0, MAX_COUNT) },
  },
  oldSpellings: { user: "to", recipient: "to", channel: "channels", text: "body", contains: "body", times: "count" },
}
