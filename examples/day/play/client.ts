// A small HTTP client of the hub, as a careful producer would write it: a deadline on every request, and a request that
// got no answer is sent again as it was, key and all, because the hub knows a repeat when it sees one.

export type Answer = { status: number; body: Record<string, unknown>; tries: number }

export type Client = {
  get: (path: string) => Promise<Answer>
  send: (method: "POST" | "PUT", path: string, body: unknown, headers?: Record<string, string>) => Promise<Answer>
}

const DEADLINE_MS = 30_000
const TRIES = 8
const FIRST_PAUSE_MS = 200

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** Throws when the hub has not answered after eight tries, with the last try's reason. */
export function clientOf(url: string, key: string): Client {
  async function ask(
    method: string,
    path: string,
    body?: string,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    for (let tries = 1; ; tries++) {
      const wait = FIRST_PAUSE_MS * 2 ** (tries - 1)
      try {
        const response = await fetch(url + path, {
          method,
          headers: { authorization: `Bearer ${key}`, ...headers },
          signal: AbortSignal.timeout(DEADLINE_MS),
          ...(body === undefined ? {} : { body }),
        })
        const text = await response.text()
        // The hub asks for patience: it has taken nothing yet.
        if ((response.status === 429 || response.status === 503) && tries < TRIES) {
          await pause(Math.max(wait, Number(response.headers.get("retry-after") ?? 0) * 1000))
          continue
        }
        const parsed: unknown = /json/.test(response.headers.get("content-type") ?? "") ? JSON.parse(text) : {}
        return { status: response.status, body: isRecord(parsed) ? parsed : {}, tries }
      } catch (error) {
        if (tries >= TRIES)
          throw new Error(`${method} ${path}: ${error instanceof Error ? error.message : String(error)}`)
        await pause(wait)
      }
    }
  }
  return {
    get: (path) => ask("GET", path),
    send: (method, path, body, headers) =>
      ask(method, path, JSON.stringify(body), { "content-type": "application/json", ...headers }),
  }
}

/** Works through the list in order, at most `width` at once; the first throw ends it. */
export async function inParallel<T>(width: number, list: readonly T[], work: (one: T) => Promise<void>): Promise<void> {
  const queue = list.values()
  let failed = false
  const worker = async (): Promise<void> => {
    for (const one of queue) {
      if (failed) return
      try {
        await work(one)
      } catch (error) {
        failed = true
        throw error
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(width, list.length) }, worker))
}
