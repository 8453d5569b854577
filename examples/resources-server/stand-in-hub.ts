// A hub for the tests: takes messages as the real one does, and fails as it is told to.

export interface Heard {
  readonly key: string
  readonly body: string
  readonly at: number
}

export interface StandInHub {
  readonly url: string
  /** Every call, also those that were answered with a failure. */
  readonly heard: readonly Heard[]
  /** What was accepted, in order: each key once. */
  readonly accepted: readonly Heard[]
  /** Answers of the next calls, before it behaves again. */
  script(...answers: ((heard: Heard) => Response | Promise<Response>)[]): void
  /** Resolves when so many calls have come. */
  calls(count: number): Promise<void>
  /** Resolves when so many messages have been accepted. */
  acceptances(count: number): Promise<void>
  down(): Promise<void>
  up(): void
}

export const problem = (status: number, code: string, headers: Record<string, string> = {}) =>
  Response.json({ status, code, detail: "scripted" }, { status, headers })

export function startStandInHub(): StandInHub {
  const heard: Heard[] = []
  const accepted: Heard[] = []
  const scripted: ((heard: Heard) => Response | Promise<Response>)[] = []
  const waiters = new Set<{ readonly list: readonly Heard[]; readonly count: number; readonly done: () => void }>()
  const tell = (): void => {
    for (const waiter of waiters) if (waiter.list.length >= waiter.count) waiter.done()
  }
  const reach = (list: readonly Heard[], count: number): Promise<void> =>
    new Promise((resolve) => {
      const done = (): void => {
        waiters.delete(waiter)
        resolve()
      }
      const waiter = { list, count, done }
      waiters.add(waiter)
      tell()
    })

  const listen = (port: number) =>
    Bun.serve({
      port,
      hostname: "127.0.0.1",
      async fetch(request) {
        if (new URL(request.url).pathname !== "/api/notifications") return new Response("not here", { status: 404 })
        const call = {
          key: request.headers.get("idempotency-key") ?? "",
          body: await request.text(),
          at: performance.now(),
        }
        heard.push(call)
        try {
          const answer = scripted.shift()
          if (answer !== undefined) return await answer(call)
          const duplicate = accepted.some(({ key }) => key === call.key)
          if (!duplicate) accepted.push(call)
          return Response.json({ id: "evt_1", status: duplicate ? "duplicate" : "accepted" }, { status: 202 })
        } finally {
          tell()
        }
      },
    })
  let server = listen(0)
  const port = server.port ?? 0

  return {
    url: `http://127.0.0.1:${port}`,
    heard,
    accepted,
    script: (...answers) => void scripted.push(...answers),
    calls: (count) => reach(heard, count),
    acceptances: (count) => reach(accepted, count),
    down: () => server.stop(true),
    up() {
      server = listen(port)
    },
  }
}
