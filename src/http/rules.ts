/** The rules that run now, and what they would make of an event. */
import type { HubEvent } from "../domain/event.ts"
import { asEventId, asRecipientId, type RecipientId } from "../domain/ids.ts"
import { isJsonObject, type Json, type JsonObject } from "../domain/json.ts"
import type { FieldError } from "../domain/json-limits.ts"
import type { Principal } from "../domain/principal.ts"
import { readJson } from "./body.ts"
import { invalid, notFound, type Problem, unavailable } from "./problem.ts"
import { type Answer, type Call, json, type RouteFile } from "./route.ts"

export interface RulesDeps {
  /** The set as `GET /v1/rules` shows it. */
  readonly running: () => JsonObject
  /** An event as a producer would send it; a refusal where none is. */
  readonly read: (value: Json, principal: Principal) => HubEvent | Problem
  /** A recorded event that the caller may see. */
  readonly recorded: (id: string, principal: Principal) => Promise<HubEvent | null>
  /** What the running set makes of an event. Stores nothing, sends nothing. */
  readonly explain: (event: HubEvent, asked: Asked, principal: Principal) => Promise<JsonObject>
}

export interface Asked {
  readonly recipient?: RecipientId
  readonly rule?: string
}

/** An explanation may take as long as a batch of events: one after the other is fast enough for people. */
const MAX_AT_ONCE = 2

const FIELDS = ["event", "recipient", "rule"]

export function rulesRoutes({ running, read, recorded, explain }: RulesDeps): RouteFile {
  let underWay = 0

  const eventOf = async (value: Json, principal: Principal): Promise<HubEvent | Problem> => {
    if (typeof value !== "string") return pointed(read(value, principal))
    if (asEventId(value) === null)
      return invalid([{ pointer: "/event", detail: "expected an event, or an event's id" }])
    return (await recorded(value, principal)) ?? notFound("event")
  }

  const explained = async ({ request, principal }: Call): Promise<Answer> => {
    const body = await readJson(request)
    if ("kind" in body) return body
    const asked = askedOf(body.value)
    if ("errors" in asked) return invalid(asked.errors)
    const event = await eventOf(asked.event, principal)
    if ("kind" in event) return event
    return json(200, await explain(event, asked.of, principal))
  }

  return {
    routes: [
      {
        method: "GET",
        path: "/v1/rules",
        access: "service",
        doc: {
          summary: "The rules that run now",
          tag: "Rules",
          description: "Each with what it matched lately: counted by the node that answers, since it started.",
          answers: { 200: { description: "The set with its revision", schema: RULES } },
        },
        handle: () => json(200, running()),
      },
      {
        method: "POST",
        path: "/v1/rules/explain",
        access: "operator",
        doc: {
          summary: "What the running rules would make of an event",
          tag: "Rules",
          description:
            "Stores nothing and sends nothing. Limits (cooldown, throttle) are those of a hub that has told nobody yet; delays and digests are told as if nothing else came.",
          body: {
            "application/json": {
              schema: {
                type: "object",
                required: ["event"],
                properties: {
                  event: { description: "As for POST /v1/events; or a recorded event's id" },
                  recipient: { type: "string", description: "Say of this person why, or why not" },
                  rule: { type: "string", description: "Only this rule" },
                },
              },
              example: {
                event: { type: "invoice.overdue", source: "invoicing", payload: { days_overdue: 7 } },
                recipient: "u1",
              },
            },
          },
          answers: { 200: { description: "Of every rule that listens to the event's type", schema: EXPLAINED } },
        },
        async handle(call) {
          if (underWay >= MAX_AT_ONCE) return unavailable("others are being explained: ask again in a moment")
          underWay += 1
          try {
            return await explained(call)
          } finally {
            underWay -= 1
          }
        },
      },
    ],
  }
}

function askedOf(
  value: Json,
): { readonly event: Json; readonly of: Asked } | { readonly errors: readonly FieldError[] } {
  if (!isJsonObject(value)) return { errors: [{ pointer: "", detail: "expected an object" }] }
  const errors: FieldError[] = Object.keys(value)
    .filter((key) => !FIELDS.includes(key))
    .map((key) => ({ pointer: `/${key}`, detail: `unknown field; expected one of ${FIELDS.join(", ")}` }))
  const { event = null, recipient = null, rule = null } = value
  if (event === null) errors.push({ pointer: "/event", detail: "expected an event" })
  const id = recipient === null ? null : asRecipientId(recipient)
  if (recipient !== null && id === null) errors.push({ pointer: "/recipient", detail: "expected a recipient's id" })
  if (rule !== null && typeof rule !== "string") errors.push({ pointer: "/rule", detail: "expected a rule's name" })
  if (errors.length > 0) return { errors }
  return { event, of: { ...(id === null ? {} : { recipient: id }), ...(typeof rule === "string" ? { rule } : {}) } }
}

/** Its mistakes point into the event. */
const pointed = (found: HubEvent | Problem): HubEvent | Problem =>
  "kind" in found && found.errors.length > 0
    ? { ...found, errors: found.errors.map(({ pointer, detail }) => ({ pointer: `/event${pointer}`, detail })) }
    : found

const count = { type: "integer" }
const text: JsonObject = { type: ["string", "null"] }
const time: JsonObject = { type: ["string", "null"], format: "date-time" }

const RULES: JsonObject = {
  type: "object",
  properties: {
    revision: { type: "string" },
    loaded_at: { type: "string", format: "date-time" },
    rules: {
      type: "array",
      items: {
        type: "object",
        properties: {
          name: { type: "string" },
          lately: {
            type: "object",
            description: "On the node that answers, since it started",
            properties: {
              matched: count,
              notified: count,
              suppressed: count,
              failed: count,
              last_matched_at: time,
            },
          },
        },
      },
    },
    sources: { type: "array" },
  },
}

const FATE: JsonObject = {
  type: "object",
  properties: { channel: { type: "string" }, status: { type: "string" }, reason: text, until: time },
}

const EXPLAINED: JsonObject = {
  type: "object",
  properties: {
    rules_revision: { type: "string" },
    rules: {
      type: "array",
      items: {
        type: "object",
        properties: {
          rule: { type: "string" },
          at: { type: "string" },
          matched: { type: "boolean" },
          reason: { type: "string" },
          notes: {
            type: "array",
            description:
              "What beside the condition decided: what silenced it, who is held back, why nobody is told, a broadcast",
            items: { type: "string" },
          },
          clauses: {
            type: ["object", "null"],
            description: "The condition's parts, each `{text, holds, decides, operands, children}`",
          },
          audience: {
            type: "object",
            properties: {
              people: count,
              told: {
                type: "array",
                items: {
                  type: "object",
                  properties: {
                    recipient: { type: "string" },
                    inbox: { type: "boolean" },
                    reason: text,
                    at: time,
                    channels: { type: "array", items: FATE },
                  },
                },
              },
            },
          },
          messages: { type: "array", items: { type: "object" } },
          systems: { type: "array", items: FATE },
          later: {
            type: "array",
            items: {
              type: "object",
              properties: {
                kind: { type: "string" },
                due_at: { ...time, type: ["string", "null"] },
                channels: { type: "array", items: { type: "string" } },
                to: { type: "object", description: "`roles`, `users`, `lists`, `everyone`, as the rule has them" },
                until: { ...text, description: "What ends an escalation" },
              },
            },
          },
          failures: { type: "array", items: { type: "string" } },
          why_not: { ...text, description: "Of the person who was asked for" },
        },
      },
    },
  },
}
