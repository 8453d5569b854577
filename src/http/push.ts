/** Push to browsers: the key that they subscribe with, and a person's own browsers. */

import { isJsonObject } from "../domain/json.ts"
import { defaultBusiness } from "../domain/principal.ts"
import { type PushSubscription, readPushSubscription } from "../domain/push-subscription.ts"
import type { Database } from "../store/database.ts"
import { subscribe, unsubscribe } from "../store/push-subscriptions.ts"
import { readJson } from "./body.ts"
import { invalid, notFound, problem } from "./problem.ts"
import { json, noContent, type RouteFile, ref, type Schema } from "./route.ts"

export interface PushRouteOptions {
  readonly db: Database
  /** VAPID's public key in base64url; null: no browser can be told. */
  readonly publicKey: string | null
  /** Whether an endpoint may be http, on this machine: development. */
  readonly loopback: boolean
}

const TAG = "Push"
const EXAMPLE = {
  endpoint: "https://updates.push.services.example/wpush/v2/gAAAAA",
  keys: {
    p256dh: "BIPUL12DLfytvTajnryr2PRdAgXS3HGKiLqndGcJGabyhHheJYlNGCeXl1dn18gSJ1WAkAPIxr4gK0_dQds4yiI",
    auth: "FPssNDTKnInHVndSTdbKFw",
  },
}
const SCHEMAS: Readonly<Record<string, Schema>> = {
  PushKey: { type: "object", required: ["public_key"], properties: { public_key: { type: "string" } } },
  PushSubscription: {
    type: "object",
    description: "As `PushSubscription.toJSON()` gives it in a browser",
    required: ["endpoint", "keys"],
    properties: {
      endpoint: { type: "string", format: "uri" },
      expirationTime: { type: ["number", "null"] },
      keys: {
        type: "object",
        required: ["p256dh", "auth"],
        properties: { p256dh: { type: "string" }, auth: { type: "string" } },
      },
    },
  },
  PushEndpoint: { type: "object", required: ["endpoint"], properties: { endpoint: { type: "string", format: "uri" } } },
}

const NO_PERSON = problem("forbidden", "a key has no browser: call with a person's token")

/** Where an endpoint leads is checked again at each message, when its name is known. */
const mayBe = ({ endpoint }: PushSubscription, loopback: boolean): boolean =>
  endpoint.startsWith("https://") || (loopback && endpoint.startsWith("http://"))

export const pushRoutes = ({ db, publicKey, loopback }: PushRouteOptions): RouteFile => ({
  schemas: SCHEMAS,
  routes: [
    {
      method: "GET",
      path: "/v1/push/public-key",
      access: "open",
      doc: {
        summary: "The key that browsers subscribe with",
        description: "What `pushManager.subscribe` takes as `applicationServerKey`. 404: the hub tells no browsers.",
        tag: TAG,
        answers: { 200: { description: "VAPID's public key in base64url", schema: ref("PushKey") } },
      },
      handle: () =>
        publicKey === null ? problem("not_found", "no VAPID keys are set") : json(200, { public_key: publicKey }),
    },
    {
      method: "POST",
      path: "/v1/push/subscriptions",
      access: "caller",
      doc: {
        summary: "Turn on notifications in one's browser",
        description: "From then on the browser is this person's, whoever's it was before.",
        tag: TAG,
        body: { "application/json": { schema: ref("PushSubscription"), example: EXAMPLE } },
        answers: { 204: { description: "It is told from now on" } },
      },
      async handle({ principal, request }) {
        if (principal.recipient === null) return NO_PERSON
        const body = await readJson(request)
        if ("kind" in body) return body
        const subscription = readPushSubscription(body.value)
        if (subscription === null || !mayBe(subscription, loopback))
          return invalid([{ pointer: "", detail: "expected a browser's push subscription, its endpoint https" }])
        await subscribe(db, principal.recipient, defaultBusiness(principal.tenancy), subscription)
        return noContent()
      },
    },
    {
      method: "DELETE",
      path: "/v1/push/subscriptions",
      access: "caller",
      doc: {
        summary: "Turn off notifications in one's browser",
        tag: TAG,
        body: { "application/json": { schema: ref("PushEndpoint"), example: { endpoint: EXAMPLE.endpoint } } },
        answers: { 204: { description: "It is told no more" } },
      },
      async handle({ principal, request }) {
        if (principal.recipient === null) return NO_PERSON
        const body = await readJson(request)
        if ("kind" in body) return body
        const endpoint = isJsonObject(body.value) ? body.value["endpoint"] : null
        if (typeof endpoint !== "string") return invalid([{ pointer: "/endpoint", detail: "expected a URL" }])
        return (await unsubscribe(db, principal.recipient, endpoint)) ? noContent() : notFound("subscription")
      },
    },
  ],
})
