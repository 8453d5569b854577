// One call to the hub, and what its answer means for the row that was sent.

export type Outcome =
  | { readonly kind: "delivered"; readonly duplicate: boolean }
  /** The hub will never take it: trying again cannot help. */
  | { readonly kind: "refused"; readonly reason: string }
  /** The hub is away or busy; `waitMs` is its own wish. */
  | { readonly kind: "later"; readonly reason: string; readonly waitMs: number | null }

export interface HubOptions {
  readonly url: string
  readonly key: string
  readonly timeoutMs: number
}

/** About the caller or the moment, not about the message: a fixed key or a free hub makes the same message welcome. */
const NOT_THE_MESSAGE = new Set([401, 403, 408, 425, 429])
const LONGEST_WISH_MS = 60_000

/** Posts one message. Never throws: an unreachable hub is an outcome. */
export async function tellHub(options: HubOptions, id: string, message: string): Promise<Outcome> {
  let response: Response
  let body: unknown
  try {
    response = await fetch(`${options.url.replace(/\/$/, "")}/api/notifications`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${options.key}`,
        "content-type": "application/json",
        "idempotency-key": id,
      },
      body: message,
      redirect: "manual",
      signal: AbortSignal.timeout(options.timeoutMs),
    })
    body = await response.json().catch(() => null)
  } catch (error) {
    const timedOut = error instanceof Error && error.name === "TimeoutError"
    return { kind: "later", reason: timedOut ? "the hub does not answer in time" : "the hub is away", waitMs: null }
  }
  const { status } = response
  const word = field(body, "status")
  if (response.ok && (word === "accepted" || word === "duplicate"))
    return { kind: "delivered", duplicate: word === "duplicate" }
  // Only problem details are the hub's own word: a 404 page of a proxy, or of a wrong HUB_URL, must not park anything.
  const code = field(body, "code")
  if (status >= 400 && status < 500 && !NOT_THE_MESSAGE.has(status) && code !== null)
    return { kind: "refused", reason: `${status} ${code}` }
  return {
    kind: "later",
    reason: `the answer was ${status}${code === null ? "" : ` ${code}`}`,
    waitMs: retryAfter(response.headers.get("retry-after")),
  }
}

const field = (body: unknown, name: string): string | null => {
  if (typeof body !== "object" || body === null) return null
  const value: unknown = Reflect.get(body, name)
  return typeof value === "string" ? value : null
}

/** Seconds or a date, in milliseconds from now; never longer than a minute, since a wrong clock may have named it. */
function retryAfter(header: string | null): number | null {
  if (header === null) return null
  const ms = /^\d+$/.test(header.trim()) ? Number(header) * 1_000 : Date.parse(header) - Date.now()
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), LONGEST_WISH_MS) : null
}
