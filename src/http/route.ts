/**
 * A route is data: where it is, who may call it, what it says about itself, and a function from a call to an answer.
 * The app puts Elysia, authentication, problem details, headers and telemetry around it; a room that has routes needs
 * to know this file, `problem.ts` and `body.ts` only.
 */
import type { JsonObject } from "../domain/json.ts"
import type { Principal } from "../domain/principal.ts"
import type { Problem } from "./problem.ts"

/** Who may call: `caller` = anyone known; `service` = publishers and operators; `operator` = admins from an allowed address. */
export type Access = "open" | "caller" | "service" | "operator"

/** Bun's server, for whoever upgrades a request; what a socket carries is known to the upgrader alone. */
export type CallServer = Bun.Server<unknown>

export interface Call {
  readonly request: Request
  /** Path parameters by name, percent-decoded. Not checked: use the `as…Id` functions. */
  readonly params: Readonly<Record<string, string | undefined>>
  /** `ANONYMOUS` on open routes. */
  readonly principal: Principal
  readonly requestId: string
  /** The caller's address, seen through trusted proxies only; null where the server does not know it. */
  readonly address: () => string | null
  /** Null only in tests that call the app without a listener. */
  readonly server: CallServer | null
}

/** An answer that is no problem. `body` null: none. */
export interface Reply {
  readonly kind: "reply"
  readonly status: number
  readonly body: string | null
  readonly contentType: string
  readonly headers: Readonly<Record<string, string>>
}

/** `undefined`: the connection was upgraded to a WebSocket, there is nothing to answer. */
export type Answer = Reply | Problem | Response | undefined

export type Method = "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS"

/** A JSON Schema (2020-12), as OpenAPI 3.1 takes it. */
export type Schema = JsonObject

/** What `/openapi.json` and `/docs` say of a route. */
export interface RouteDoc {
  readonly summary: string
  readonly tag: string
  readonly description?: string
  /** Query and header parameters; path parameters come from the path. */
  readonly parameters?: readonly {
    readonly name: string
    readonly in: "query" | "header"
    readonly description: string
    readonly schema?: Schema
  }[]
  /** By content type. */
  readonly body?: Readonly<Record<string, { readonly schema: Schema; readonly example?: JsonObject[keyof JsonObject] }>>
  /** True: it counts against `HUB_RATE_LIMIT`, and may be answered 429. */
  readonly limited?: boolean
  /** By status; refusals are added by the document's maker. */
  readonly answers: Readonly<
    Record<
      number,
      {
        readonly description: string
        readonly schema?: Schema
        readonly example?: JsonObject[keyof JsonObject]
        readonly contentType?: string
      }
    >
  >
}

export interface Route {
  readonly method: Method
  /** `/v1/events/:id`; `*` at the end takes the rest. */
  readonly path: string
  readonly access: Access
  /** Null: not in the document (sockets, pages, dashboards' insides). */
  readonly doc: RouteDoc | null
  handle(call: Call): Answer | Promise<Answer>
}

/** What a file of routes exports: its routes, and the schemas they refer to by `ref`. */
export interface RouteFile {
  readonly routes: readonly Route[]
  readonly schemas?: Readonly<Record<string, Schema>>
}

/** A reference to one of the document's schemas. */
export const ref = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` })

/** A JSON answer. */
export const json = (status: number, value: unknown, headers: Readonly<Record<string, string>> = {}): Reply => ({
  kind: "reply",
  status,
  body: JSON.stringify(value),
  contentType: "application/json",
  headers,
})

/** 204. */
export const noContent = (): Reply => ({ kind: "reply", status: 204, body: null, contentType: "", headers: {} })

/** A text answer such as a page. */
export const text = (contentType: string, body: string, headers: Readonly<Record<string, string>> = {}): Reply => ({
  kind: "reply",
  status: 200,
  body,
  contentType,
  headers,
})

/** The call's path, without a host: that is the sender's word, and may be none that a URL can hold. */
export function path({ request: { url } }: Pick<Call, "request">): string {
  const start = url.indexOf("/", url.indexOf("://") + 3)
  return start === -1 ? "/" : url.slice(start).replace(/[?#].*$/s, "")
}

/**
 * The call's query parameters. One without a value (`?type=&since=`, as forms send them) is one that is not there. What no
 * stored text can hold (NUL, as bytes that are no UTF-8 before it) reads as U+FFFD, and so fits nothing.
 */
export function query(call: Call): URLSearchParams {
  const start = call.request.url.indexOf("?")
  const parameters = new URLSearchParams(start === -1 ? "" : call.request.url.slice(start + 1))
  const given = [...parameters].filter(([, value]) => value !== "")
  return new URLSearchParams(given.map(([name, value]): [string, string] => [name, value.replaceAll("\0", "\ufffd")]))
}
