/**
 * What development has instead of providers: the captured messages, and the switch that lets a captured channel's provider
 * fail. The switch is there in development alone.
 */
import { isSendingChannel, SENDING_CHANNELS, type SendingChannel } from "../domain/channel.ts"
import { asDeliveryId } from "../domain/ids.ts"
import { isJsonObject, type JsonObject } from "../domain/json.ts"
import type { FieldError } from "../domain/json-limits.ts"
import { confinedTo } from "../domain/principal.ts"
import {
  type FailureSwitch,
  isProviderFailure,
  type PlannedFailure,
  PROVIDER_FAILURES,
} from "../domain/provider-failure.ts"
import type { Database } from "../store/database.ts"
import { listOutbox } from "../store/outbox.ts"
import { readJson } from "./body.ts"
import { noteOperation } from "./operations.ts"
import { OUTBOX_SCHEMAS } from "./outbox-schemas.ts"
import { pageBody, readPage } from "./page.ts"
import { invalid, problem } from "./problem.ts"
import { type Answer, type Call, json, query, type Route, type RouteFile, ref } from "./route.ts"

export interface OutboxDeps {
  readonly db: Database
  /** In catalogue order; their sends are captured now. */
  readonly captured: readonly SendingChannel[]
  /** Null in production. */
  readonly failures: FailureSwitch | null
  /** What keeps a channel from its work now, such as `bad_credential`; undefined: nothing. */
  readonly broken: (channel: SendingChannel) => string | undefined
}

const MOST_TIMES = 1_000
const LONGEST_WISH_S = 3_600

export function outboxRoutes(deps: OutboxDeps): RouteFile {
  const messages: Route = {
    method: "GET",
    path: "/v1/outbox",
    access: "operator",
    doc: {
      summary: "Captured messages, as their readers would see them",
      tag: "Deliveries",
      description:
        "Without credentials a channel captures in development: nothing leaves the machine. With `every=true` also what such " +
        "a channel has still to send, gave up because its provider was made to fail, or sent where no account is needed (to " +
        "browsers, to systems on this machine); the status says which.",
      parameters: [
        { name: "channel", in: "query", description: SENDING_CHANNELS.join(", ") },
        { name: "every", in: "query", description: "true: whatever became of them; default: those that were captured" },
        { name: "after", in: "query", description: "Go on after this id" },
        { name: "limit", in: "query", description: "1 to 200, default 50" },
      ],
      answers: { 200: { description: "A page of deliveries with their message", schema: ref("DeliveryPage") } },
    },
    handle: (call) => list(deps, call),
  }
  const { failures } = deps
  if (failures === null) return { routes: [messages], schemas: OUTBOX_SCHEMAS }
  return { routes: [messages, ...switchRoutes(deps, failures)], schemas: OUTBOX_SCHEMAS }
}

async function list({ db, captured }: OutboxDeps, call: Call): Promise<Answer> {
  const page = readPage(query(call), asDeliveryId)
  if ("kind" in page) return page
  const channel = query(call).get("channel")
  if (channel !== null && !isSendingChannel(channel))
    return invalid([{ pointer: "?channel", detail: `expected ${SENDING_CHANNELS.join(", ")}` }])
  const every = query(call).get("every") ?? "false"
  if (every !== "true" && every !== "false") return invalid([{ pointer: "?every", detail: "expected true or false" }])
  const found = await listOutbox(db, {
    businesses: confinedTo(call.principal.tenancy),
    channel: channel ?? undefined,
    alsoOf: every === "true" ? captured : [],
    after: page.after ?? undefined,
    limit: page.limit,
  })
  const last = found.deliveries.at(-1)?.["id"]
  return json(200, pageBody(found.deliveries, found.hasMore && typeof last === "string" ? last : null, found.hasMore))
}

const switchRoutes = (deps: OutboxDeps, failures: FailureSwitch): readonly Route[] => [
  {
    method: "GET",
    path: "/admin/outbox",
    access: "operator",
    doc: {
      summary: "What the providers of captured channels do (development)",
      tag: "Operations",
      answers: { 200: { description: "Each captured channel", schema: ref("OutboxProviders") } },
    },
    handle: () => json(200, { channels: deps.captured.map((channel) => stateOf(channel, deps, failures)) }),
  },
  {
    method: "POST",
    path: "/admin/outbox/failures",
    access: "operator",
    doc: {
      summary: "Let a captured channel's provider fail (development)",
      tag: "Operations",
      description:
        "The next `times` sends of the channel end as if its provider had answered so: what follows (retries, breaker, dead " +
        "letters) is the hub's real behaviour. `hang` takes 15 s; `answer_lost` is a message that may have been taken. " +
        "`failure: null` makes it well again. Of this node, and forgotten with its process. 409 for a channel that is not captured.",
      body: {
        "application/json": {
          schema: ref("ProviderFailure"),
          example: { channel: "sms", failure: "rate_limited", times: 3, retry_after: 5 },
        },
      },
      answers: { 200: { description: "The channel as it is now", schema: ref("OutboxProvider") } },
    },
    handle: (call) => plan(deps, failures, call),
  },
]

async function plan(deps: OutboxDeps, failures: FailureSwitch, { request, principal }: Call): Promise<Answer> {
  // A channel works for every business.
  if (confinedTo(principal.tenancy) !== null)
    return problem("forbidden", "a provider fails for every business: it needs an admin of all of them")
  const body = await readJson(request)
  if ("kind" in body) return body
  const asked = readPlan(isJsonObject(body.value) ? body.value : {})
  if ("errors" in asked) return invalid(asked.errors)
  if (!deps.captured.includes(asked.channel))
    return problem("conflict", `${asked.channel} is not captured: its messages go to its provider`)
  await noteOperation(deps.db, principal, "outbox.fail", {
    channel: asked.channel,
    failure: asked.planned?.failure ?? null,
  })
  failures.plan(asked.channel, asked.planned)
  return json(200, stateOf(asked.channel, deps, failures))
}

interface Asked {
  readonly channel: SendingChannel
  readonly planned: PlannedFailure | null
}

function readPlan(body: JsonObject): Asked | { readonly errors: readonly FieldError[] } {
  const errors: FieldError[] = []
  const { channel, failure = null, times = 1, retry_after: wish = null } = body
  const known = isSendingChannel(channel) ? channel : null
  if (known === null) errors.push({ pointer: "/channel", detail: `expected one of ${SENDING_CHANNELS.join(", ")}` })
  if (failure !== null && !isProviderFailure(failure))
    errors.push({ pointer: "/failure", detail: `expected null or one of ${PROVIDER_FAILURES.join(", ")}` })
  if (typeof times !== "number" || !Number.isInteger(times) || times < 1 || times > MOST_TIMES)
    errors.push({ pointer: "/times", detail: `expected a whole number from 1 to ${MOST_TIMES}` })
  if (wish !== null && (typeof wish !== "number" || !(wish >= 0 && wish <= LONGEST_WISH_S)))
    errors.push({ pointer: "/retry_after", detail: `expected null or seconds from 0 to ${LONGEST_WISH_S}` })
  if (errors.length > 0 || known === null) return { errors }
  if (!isProviderFailure(failure)) return { channel: known, planned: null }
  const retryAfterMs = failure === "rate_limited" && typeof wish === "number" ? wish * 1_000 : null
  return { channel: known, planned: { failure, left: Number(times), retryAfterMs } }
}

function stateOf(channel: SendingChannel, { broken }: OutboxDeps, failures: FailureSwitch): JsonObject {
  const planned = failures.of(channel)
  return {
    channel,
    failing:
      planned === null
        ? null
        : {
            failure: planned.failure,
            left: planned.left,
            retry_after: planned.retryAfterMs === null ? null : planned.retryAfterMs / 1_000,
          },
    paused: broken(channel) ?? null,
  }
}
