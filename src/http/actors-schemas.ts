/** What `/openapi.json` says of the supervision tree; the topic `dashboard` pushes the same. */
import type { JsonObject } from "../domain/json.ts"
import { ref, type Schema } from "./route.ts"

const STATES = ["starting", "running", "stopping", "stopped", "backoff", "ignored"]
const count: Schema = { type: "integer", minimum: 0 }
const moment: Schema = { type: "string", format: "date-time" }
const textOrNull: Schema = { type: ["string", "null"] }

const TREE_PROPERTIES: JsonObject = {
  node: { type: "string", description: "The process that was asked; each node has a tree of its own." },
  at: moment,
  stuck: { ...count, description: "Handlers, starts and stops that were given up on and have still not ended." },
  dead_letters: {
    type: "object",
    required: ["count", "recent"],
    properties: {
      count: { ...count, description: "Messages that reached nobody, since the start." },
      recent: {
        type: "array",
        description: "The last 20, newest last. Never what a message held.",
        items: {
          type: "object",
          required: ["at", "to", "kind", "why", "message"],
          properties: {
            at: moment,
            to: { type: "string" },
            kind: textOrNull,
            why: { type: "string" },
            message: textOrNull,
          },
        },
      },
    },
  },
  tree: ref("ActorLine"),
}

const LINE_PROPERTIES: JsonObject = {
  id: { type: "string", description: "What a restart is asked by; `~` and a hash where the id would name a person." },
  name: { type: "string", description: "For people; names nobody." },
  kind: { type: "string", description: "What it is one of, such as `dispatcher`: metrics count by it." },
  type: { enum: ["actor", "service", "supervisor", "pool"] },
  state: { enum: STATES },
  incarnation: { ...count, description: "How often it was started." },
  mailbox: {
    oneOf: [
      { type: "null" },
      {
        type: "object",
        required: ["depth", "bound", "dropped"],
        properties: { depth: count, bound: count, dropped: count },
      },
    ],
  },
  handled: { type: ["integer", "null"], description: "Messages of this incarnation; null without a mailbox." },
  handler_age_ms: { type: ["number", "null"], description: "How long the current handler has been running." },
  restarts: count,
  recent_restarts: {
    type: "array",
    description: "Newest last; ten, in a pool three.",
    items: {
      type: "object",
      required: ["at", "reason", "detail"],
      properties: { at: moment, reason: { type: "string" }, detail: textOrNull },
    },
  },
  children: {
    type: ["array", "null"],
    description: "Null: no supervisor. Of a pool at most 50.",
    items: ref("ActorLine"),
  },
  children_count: { type: ["integer", "null"], description: "All of them, shown or not." },
  children_states: {
    type: ["object", "null"],
    description: "How many children are in each state.",
    additionalProperties: count,
  },
}

const whole = (properties: JsonObject): Schema => ({ type: "object", required: Object.keys(properties), properties })

export const ACTOR_SCHEMAS: Readonly<Record<string, Schema>> = {
  ActorTree: whole(TREE_PROPERTIES),
  ActorLine: whole(LINE_PROPERTIES),
  ActorRestarted: whole({ result: { const: "restarted" } }),
}

export const RESTARTED_EXAMPLE: JsonObject = { result: "restarted" }

export const TREE_EXAMPLE: JsonObject = {
  node: "hubbub-1a2b",
  at: "2026-01-05T09:00:00.000Z",
  stuck: 0,
  dead_letters: { count: 0, recent: [] },
  tree: {
    id: "hub",
    name: "hub",
    kind: "supervisor",
    type: "supervisor",
    state: "running",
    incarnation: 1,
    mailbox: null,
    handled: null,
    handler_age_ms: null,
    restarts: 0,
    recent_restarts: [],
    children: [
      {
        id: "router",
        name: "router",
        kind: "router",
        type: "actor",
        state: "running",
        incarnation: 2,
        mailbox: { depth: 0, bound: 1000, dropped: 0 },
        handled: 12,
        handler_age_ms: null,
        restarts: 1,
        recent_restarts: [{ at: "2026-01-05T08:59:58.120Z", reason: "error", detail: "TypeError: x is undefined" }],
        children: null,
        children_count: null,
        children_states: null,
      },
    ],
    children_count: 1,
    children_states: { running: 1 },
  },
}
