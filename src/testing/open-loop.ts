/**
 * A producer that goes on whatever the hub does: sends at a fixed rate, repeats what was not answered with the same key,
 * and remembers what was acknowledged. The rate does not slow down with the hub, so a slow hub cannot hide.
 */
import { SERVICE_KEY } from "./front.ts"

export interface OpenLoop {
  /** Keys that were answered with 2xx, with the event's id. */
  readonly acked: ReadonlyMap<string, string>
  /** Answers that no producer should ever get: neither 2xx, nor 429 or 5xx. */
  readonly refused: readonly string[]
  /** Each request that was made, repeats too, in the order of their ends. */
  readonly tries: readonly Try[]
  /** Resolves when so many more than now are acknowledged. */
  more(count: number): Promise<void>
  /** Sends nothing new; resolves when everything that was begun is acknowledged. */
  finish(): Promise<void>
}

export interface Try {
  /** `performance.now()` at its end, and how long it took. */
  readonly at: number
  readonly ms: number
  /** 0: no answer, because the connection was refused or broke. */
  readonly status: number | "late"
  /** It broke: somebody was there, and had taken it. */
  readonly broke: boolean
}

export interface OpenLoopOptions {
  readonly perSecond: number
  /** Where the hub is now: it may be away, and come back. */
  readonly url: () => string
  readonly event: (n: number) => { readonly key: string; readonly body: unknown }
  /** How long a request waits for its answer; 5 s by default. */
  readonly deadlineMs?: number
}

const TICK_MS = 20
/** Between two tries of one event, twice as long each time, as a producer does that wants the hub to live. */
const RETRY_MS = { first: 50, most: 1_000 }
const DEADLINE_MS = 5_000
/** Requests that may wait for an answer or a retry; beyond it the loop stops adding, and says so by a lower total. */
const MAX_OPEN = 2_000
/** Requests at a time, fewer than the 256 that `fetch` makes: one that waits within the client would count as slow. */
const MAX_AT_ONCE = 200

export function startOpenLoop(options: OpenLoopOptions): OpenLoop {
  const acked = new Map<string, string>()
  const refused: string[] = []
  const tries: Try[] = []
  const deadlineMs = options.deadlineMs ?? DEADLINE_MS
  const open = new Set<Promise<void>>()
  let waiting: { readonly at: number; readonly done: () => void }[] = []
  const queue: (() => void)[] = []
  let atOnce = 0
  let n = 0
  let owed = 0
  const timer = setInterval(() => {
    owed += (options.perSecond * TICK_MS) / 1_000
    for (; owed >= 1; owed -= 1) {
      if (open.size >= MAX_OPEN) continue
      n += 1
      const sent = send(options.event(n)).finally(() => open.delete(sent))
      open.add(sent)
    }
  }, TICK_MS)

  async function send({ key, body }: { readonly key: string; readonly body: unknown }): Promise<void> {
    for (let pauseMs = RETRY_MS.first; ; pauseMs = Math.min(RETRY_MS.most, 2 * pauseMs)) {
      if (atOnce >= MAX_AT_ONCE) await new Promise<void>((resolve) => queue.push(resolve))
      else atOnce += 1
      const began = performance.now()
      const tried = (status: Try["status"], broke = false): void => {
        const at = performance.now()
        tries.push({ at, ms: at - began, status, broke })
      }
      try {
        const answer = await fetch(`${options.url()}/v1/events`, {
          method: "POST",
          headers: {
            authorization: `Bearer ${SERVICE_KEY}`,
            "content-type": "application/json",
            "idempotency-key": key,
          },
          body: JSON.stringify(body),
          signal: AbortSignal.timeout(deadlineMs),
        })
        const text = await answer.text()
        tried(answer.status)
        if (answer.ok) {
          acked.set(key, (JSON.parse(text) as { id: string }).id) // contract §5.1
          for (const { done } of waiting.filter(({ at }) => at <= acked.size)) done()
          waiting = waiting.filter(({ at }) => at > acked.size)
          return
        }
        if (answer.status < 500 && answer.status !== 429) {
          refused.push(`${key}: ${answer.status} ${text}`)
          return
        }
      } catch (error) {
        // Refused, reset or late: nobody knows whether it was accepted, which is what the key is for.
        const refused = error instanceof Error && "code" in error && /refused/i.test(String(error.code))
        if (error instanceof DOMException && error.name === "TimeoutError") tried("late")
        else tried(0, !refused)
      } finally {
        const next = queue.shift()
        if (next === undefined) atOnce -= 1
        else next() // the place is handed on
      }
      await Bun.sleep(pauseMs)
    }
  }

  return {
    acked,
    refused,
    tries,
    more(count) {
      const { promise, resolve } = Promise.withResolvers<void>()
      waiting.push({ at: acked.size + count, done: resolve })
      return promise
    },
    async finish() {
      clearInterval(timer)
      while (open.size > 0) await Promise.all(open)
    },
  }
}
