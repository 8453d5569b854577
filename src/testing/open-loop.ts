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
  /** Resolves when so many more than now are acknowledged. */
  more(count: number): Promise<void>
  /** Sends nothing new; resolves when everything that was begun is acknowledged. */
  finish(): Promise<void>
}

export interface OpenLoopOptions {
  readonly perSecond: number
  /** Where the hub is now: it may be away, and come back. */
  readonly url: () => string
  readonly event: (n: number) => { readonly key: string; readonly body: unknown }
}

const TICK_MS = 20
const RETRY_MS = 50
const DEADLINE_MS = 5_000
/** Requests that may wait for an answer or a retry; beyond it the loop stops adding, and says so by a lower total. */
const MAX_OPEN = 2_000

export function startOpenLoop(options: OpenLoopOptions): OpenLoop {
  const acked = new Map<string, string>()
  const refused: string[] = []
  const open = new Set<Promise<void>>()
  let waiting: { readonly at: number; readonly done: () => void }[] = []
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
    for (;;) {
      try {
        const answer = await fetch(`${options.url()}/v1/events`, {
          method: "POST",
          headers: {
            authorization: `Bearer ${SERVICE_KEY}`,
            "content-type": "application/json",
            "idempotency-key": key,
          },
          body: JSON.stringify(body),
          signal: AbortSignal.timeout(DEADLINE_MS),
        })
        const text = await answer.text()
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
      } catch {
        // Refused, reset or late: nobody knows whether it was accepted, which is what the key is for.
      }
      await Bun.sleep(RETRY_MS)
    }
  }

  return {
    acked,
    refused,
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
