/** Calls to the hub, relative to the page, so that they work behind a proxy's path. Refusals come back as values. */
import { each, fields, text, textOrNull } from "./fields.ts"

/** Something in the body that was sent: where, as a JSON pointer, and what was expected. */
export interface Mistake {
  readonly pointer: string
  readonly detail: string
}

/** `refused`: the token is no longer good. `failed`: a sentence for the person; status 0 = the hub did not answer. */
export type Answer =
  | { readonly kind: "ok"; readonly body: unknown }
  | { readonly kind: "refused"; readonly detail: string }
  | {
      readonly kind: "failed"
      readonly status: number
      readonly detail: string
      readonly mistakes?: readonly Mistake[]
    }

export type Method = "GET" | "POST" | "PATCH" | "DELETE"

export interface Api {
  /** `path` without a leading slash; `body` goes as JSON. */
  call(method: Method, path: string, body?: unknown): Promise<Answer>
}

const DEADLINE_MS = 10_000

/** An API that speaks for this token; `onRefused` hears of every 401 before the caller does. */
export function createApi(token: string, onRefused: (detail: string) => void): Api {
  return {
    async call(method, path, body) {
      const answer = await ask(method, path, body, token)
      if (answer.kind === "refused") onRefused(answer.detail)
      return answer
    },
  }
}

async function ask(method: Method, path: string, body: unknown, token: string): Promise<Answer> {
  let response: Response
  let found: unknown = null
  try {
    response = await fetch(new URL(path, document.baseURI), {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(DEADLINE_MS),
    })
    const type = response.headers.get("content-type") ?? ""
    if (type.includes("json")) found = await response.json()
  } catch {
    return { kind: "failed", status: 0, detail: "the hub does not answer" }
  }
  if (response.ok) return { kind: "ok", body: found }
  const said = fields(found)?.["detail"]
  const detail = typeof said === "string" ? said : `the hub answered ${response.status}`
  if (response.status === 401) return { kind: "refused", detail }
  return { kind: "failed", status: response.status, detail, mistakes: each(fields(found)?.["errors"], readMistake) }
}

function readMistake(value: unknown): Mistake | null {
  const of = fields(value)
  return of === null || textOrNull(of["detail"]) === null
    ? null
    : { pointer: text(of["pointer"]), detail: text(of["detail"]) }
}
