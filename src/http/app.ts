/**
 * The front: every route file under one roof. Elysia finds the route; this file puts around it what all share: who is
 * calling, request ids, problem details for every refusal, headers, one telemetry event. No hook runs on a request but
 * this one function, because the hot path of ingest goes through it.
 */
import { Elysia } from "elysia"
import type { Config } from "../config.ts"
import type { Clock } from "../runtime/clock.ts"
import { databaseProblem } from "../store/database.ts"
import type { Emitter } from "../telemetry/bus.ts"
import { describeError } from "../telemetry/scrub.ts"
import { admit } from "./access.ts"
import type { Authenticate } from "./auth.ts"
import { BODY_IDLE_SECONDS, hasBody, maySendOn } from "./body.ts"
import { clientAddress } from "./client-address.ts"
import { corsHeaders, preflightHeaders } from "./cors.ts"
import { pathFinder } from "./path-finder.ts"
import { PROBLEMS, type Problem, problem, problemBody, unavailable } from "./problem.ts"
import type { Answer, Call, CallServer, Route, RouteFile } from "./route.ts"

export interface AppOptions {
  readonly config: Config
  readonly authenticate: Authenticate
  readonly clock: Clock
  readonly telemetry: Emitter
  /** Everything that answers, in any order; two routes of one method and path are a bug. */
  readonly files: readonly RouteFile[]
}

/** What `server.ts` listens with, and what tests may call without a listener. */
export interface App {
  readonly elysia: Elysia
  readonly routes: readonly Route[]
}

const JSON_TYPE = "application/json"
const REQUEST_ID = /^[\w.:-]{1,128}$/
const JSON_POLICY = "default-src 'none'; frame-ancestors 'none'"

export function createApp(options: AppOptions): App {
  const { config, clock, telemetry } = options
  const { allowedOrigins, trustedProxies, adminAllow } = config.http
  const routes = options.files.flatMap((file) => file.routes)
  const find = pathFinder(routes)
  const prefix = new URL(config.http.publicUrl).pathname.replace(/\/$/, "")
  const door = { authenticate: options.authenticate, adminAllow }
  const secure: Readonly<Record<string, string>> = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    ...(config.http.publicUrl.startsWith("https:") ? { "strict-transport-security": "max-age=31536000" } : {}),
  }
  // Copied by each answer as a whole, which costs half of what naming them one by one does.
  const usual = new Headers({ "content-security-policy": JSON_POLICY, "cache-control": "no-store", ...secure })
  const usualJson = new Headers(usual)
  usualJson.set("content-type", JSON_TYPE)

  /** One request through one route: never throws, always an answer in the house's form. */
  const answer = async (
    route: Route,
    request: Request,
    params: Call["params"],
    server: CallServer | null,
  ): Promise<Response | undefined> => {
    const began = clock.now()
    const requestId = requestIdOf(request)
    if (hasBody(request)) server?.timeout(request, BODY_IDLE_SECONDS)
    const address = (): string | null =>
      clientAddress(server?.requestIP(request)?.address ?? null, request.headers.get("x-forwarded-for"), trustedProxies)
    let given: Answer
    try {
      const admitted = admit(route.access, request, address, door)
      const principal = admitted instanceof Promise ? await admitted : admitted
      given =
        principal.kind === "problem"
          ? principal
          : await route.handle({
              request,
              params,
              principal,
              requestId,
              address,
              server,
            })
    } catch (error) {
      given = problemOf(error, route.path)
    }
    const response = given === undefined ? undefined : respond(given, request, requestId)
    telemetry.emit({
      kind: "http_request",
      method: request.method,
      route: route.path,
      status: response?.status ?? 101,
      ms: clock.now() - began,
      requestId,
    })
    return response
  }

  /** Whose problem it is: the database's, for a while, or ours. */
  const problemOf = (error: unknown, where: string): Problem => {
    if (databaseProblem(error) === "away") return unavailable("the database is not answering; try again")
    telemetry.emit({ kind: "bug_found", where, error: describeError(error) })
    return problem("internal", "the request was not carried out; the operator has been told")
  }

  const respond = (given: Exclude<Answer, undefined>, request: Request, requestId: string): Response => {
    const cors = corsHeaders(request.headers.get("origin"), allowedOrigins)
    if (given instanceof Response) {
      for (const [name, value] of Object.entries({ ...secure, ...cors, "x-request-id": requestId }))
        if (!given.headers.has(name)) given.headers.set(name, value)
      return given
    }
    if (given.kind === "problem")
      return new Response(problemBody(given, { prefix, instance: pathOf(request), requestId }), {
        status: PROBLEMS[given.code].status,
        headers: {
          "content-type": "application/problem+json",
          "content-security-policy": JSON_POLICY,
          "cache-control": "no-store",
          ...secure,
          ...cors,
          ...given.headers,
          ...(maySendOn(request) ? { connection: "close" } : {}),
          "x-request-id": requestId,
        },
      })
    const isJson = given.body !== null && given.contentType === JSON_TYPE
    const response = new Response(given.body, { status: given.status, headers: isJson ? usualJson : usual })
    const { headers } = response
    if (given.body !== null && !isJson) headers.set("content-type", given.contentType)
    for (const name in cors) headers.set(name, cors[name] ?? "")
    for (const name in given.headers) headers.set(name, given.headers[name] ?? "")
    headers.set("x-request-id", requestId)
    return response
  }

  /**
   * No route of this method and spelling: a slash at the end is overlooked, HEAD is GET without its body, OPTIONS asks what
   * there is, the rest is 405 or 404.
   */
  const unrouted = async (request: Request, server: CallServer | null): Promise<Response | undefined> => {
    const found = find(pathOf(request))
    const same = found.find((match) => match.route.method === request.method)
    if (same !== undefined) return answer(same.route, request, same.params, server)
    const get = found.find((match) => match.route.method === "GET")
    if (request.method === "HEAD" && get !== undefined) {
      const response = await answer(get.route, request, get.params, server)
      return response === undefined ? undefined : new Response(null, response)
    }
    const methods = found.map((match) => match.route.method)
    const requestId = requestIdOf(request)
    const allow = [...methods, ...(get === undefined ? [] : ["HEAD"]), "OPTIONS"].join(", ")
    let given: Answer
    if (methods.length === 0) given = problem("not_found", "nothing lives at this path; see /docs")
    else if (request.method !== "OPTIONS")
      given = problem("method_not_allowed", `expected ${allow}`, { headers: { allow } })
    else
      given = new Response(null, {
        status: 204,
        headers: { allow, ...preflightHeaders(request, methods, allowedOrigins) },
      })
    const response = respond(given, request, requestId)
    const route = methods.length === 0 ? "unknown" : (found[0]?.route.path ?? "unknown")
    telemetry.emit({
      kind: "http_request",
      method: knownMethod(request),
      route,
      status: response.status,
      ms: 0,
      requestId,
    })
    return response
  }

  const elysia = new Elysia({ normalize: false })
  for (const route of routes) {
    elysia.route(
      route.method,
      route.path,
      ({ request, params, server }) => answer(route, request, params as Call["params"], server), // Elysia's own record of strings
      { parse: "none" },
    )
  }
  elysia.onError(({ code, error, request, server }) => {
    if (code === "NOT_FOUND") return unrouted(request, server)
    return respond(problemOf(error, "http"), request, requestIdOf(request))
  })
  return { elysia: elysia as unknown as Elysia, routes } // the routes' types are of no use to anyone
}

/** The caller's own id where it is a plain one, so that a log line never carries what somebody put into a header. */
function requestIdOf(request: Request): string {
  const given = request.headers.get("x-request-id")
  return given !== null && REQUEST_ID.test(given) ? given : crypto.randomUUID()
}

const KNOWN = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
const knownMethod = (request: Request): string => (KNOWN.has(request.method) ? request.method : "other")

function pathOf(request: Request): string {
  const { url } = request
  const start = url.indexOf("/", url.indexOf("://") + 3)
  if (start === -1) return "/"
  const end = url.indexOf("?", start)
  return end === -1 ? url.slice(start) : url.slice(start, end)
}
