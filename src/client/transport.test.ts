/** One call's tries, pauses and end, on a clock in the test's hands. What a real hub makes of it is in hub.test.ts. */
import { describe, expect, test } from "bun:test"
import { type FakeClock, fakeClock } from "../testing/fake-clock.ts"
import type { Fetch } from "./attempt.ts"
import { Hub, HubAborted, HubError, type HubOptions, HubProblem, HubTimeout, HubUnreachable } from "./hub.ts"

const KEY = "a-key-that-nobody-may-read-0123"
const EVENT = { type: "invoice.overdue", source: "invoicing" }
const ACCEPTED = { id: "evt_1", status: "accepted" }

interface Sent {
  readonly url: string
  readonly at: number
  readonly init: RequestInit
}

interface World {
  readonly hub: Hub
  readonly clock: FakeClock
  readonly sent: readonly Sent[]
  readonly fetch: Fetch
}

type Answer = Response | Error | "never"

/** Each try gets the next answer; the last one stays. */
function world(answers: readonly (Answer | ((sent: Sent) => Answer))[], more: Partial<HubOptions> = {}): World {
  const clock = fakeClock(new Date("2026-01-05T09:00:00Z"))
  const sent: Sent[] = []
  const fetch: Fetch = async (url, init) => {
    const one = { url, init, at: clock.now() }
    sent.push(one)
    const next = answers[Math.min(sent.length, answers.length) - 1] ?? "never"
    const answer = typeof next === "function" ? next(one) : next
    if (answer instanceof Error) throw answer
    if (answer === "never") return new Promise<never>(() => {}) // deaf to its signal too
    return answer.clone() as Response // typed as another library's, which lacks a method that nobody calls here
  }
  const options = { apiKey: KEY, baseUrl: "http://hub.test/", fetch, clock, random: () => 1, ...more }
  return { hub: new Hub(options as HubOptions), clock, sent, fetch } // Partial of a union forgets that one of two is there
}

const refusal = (status: number, headers: Readonly<Record<string, string>> = {}): Response =>
  Response.json({ code: "unavailable", title: "Not now", detail: "later" }, { status, headers })

/** Runs the clock until the call ends. */
async function ending<T>(clock: FakeClock, call: Promise<T>, stepMs = 50): Promise<T | unknown> {
  let ended = false
  const result = call.then(
    (value) => value,
    (error: unknown) => error,
  )
  const mark = (): void => {
    ended = true
  }
  result.then(mark, mark)
  for (let steps = 0; !ended; steps += 1) {
    if (steps > 20_000) throw new Error("the call does not end")
    await clock.advance(stepMs)
  }
  expect(clock.pending).toBe(0)
  return result
}

const bodies = (sent: readonly Sent[]): readonly unknown[] => sent.map(({ init }) => init.body)

describe("a publish", () => {
  test("without a key gets one that stays the same over its tries", async () => {
    const { hub, clock, sent } = world([refusal(503), new Error("cut"), Response.json(ACCEPTED, { status: 201 })])
    expect(await ending(clock, hub.events.publish(EVENT))).toEqual(ACCEPTED)
    expect(sent).toHaveLength(3)
    expect(new Set(bodies(sent)).size).toBe(1)
    expect(String(sent[0]?.init.body)).toMatch(/"idempotency_key":"[0-9a-f-]{36}"/)
  })

  test("gets another key each time it is called", async () => {
    const { hub, clock, sent } = world([Response.json(ACCEPTED, { status: 201 })])
    await ending(clock, hub.events.publish(EVENT))
    await ending(clock, hub.events.publish(EVENT))
    expect(new Set(bodies(sent)).size).toBe(2)
  })

  test("takes the key of the event or of the option, and refuses two that differ", async () => {
    const { hub, clock, sent } = world([Response.json(ACCEPTED, { status: 201 })])
    await ending(clock, hub.events.publish({ ...EVENT, idempotency_key: "field" }))
    await ending(clock, hub.events.publish(EVENT, { idempotencyKey: "option" }))
    await ending(clock, hub.events.publish({ ...EVENT, idempotency_key: "both" }, { idempotencyKey: "both" }))
    expect(sent.map(({ init }) => JSON.parse(String(init.body)).idempotency_key)).toEqual(["field", "option", "both"])
    const two = hub.events.publish({ ...EVENT, idempotency_key: "a" }, { idempotencyKey: "b" })
    expect(await ending(clock, two)).toBeInstanceOf(TypeError)
    expect(sent).toHaveLength(3)
  })

  test("that is a duplicate is a success", async () => {
    const { hub, clock } = world([Response.json({ id: "evt_1", status: "duplicate" })])
    expect(await ending(clock, hub.events.publish(EVENT))).toEqual({ id: "evt_1", status: "duplicate" })
  })

  test("is not believed when the answer does not say that it was taken", async () => {
    for (const answer of [{}, { id: "evt_1" }, { id: "evt_1", status: "seen" }, null]) {
      const { hub, clock, sent } = world([Response.json(answer)])
      const error = await ending(clock, hub.events.publish(EVENT, { idempotencyKey: "k" }))
      expect(error).toMatchObject({ kind: "unexpected_answer", idempotencyKey: "k" })
      expect(sent).toHaveLength(1)
    }
  })
})

describe("a refusal", () => {
  test.each([400, 401, 403, 404, 405, 409, 413, 415, 422, 426, 500, 501])("of %d is not repeated", async (status) => {
    const { hub, clock, sent } = world([refusal(status)])
    expect(await ending(clock, hub.events.publish(EVENT))).toMatchObject({ status, tries: 1 })
    expect(sent).toHaveLength(1)
  })

  test.each([408, 429, 502, 503, 504])("of %d is repeated five times, and then told", async (status) => {
    const { hub, clock, sent } = world([refusal(status)])
    expect(await ending(clock, hub.events.publish(EVENT))).toMatchObject({ status, tries: 5 })
    expect(sent).toHaveLength(5)
  })

  test("is told as the hub said it", async () => {
    const problem = {
      type: "/docs#problem-invalid",
      title: "The request is not valid",
      status: 422,
      detail: "/severity: expected info",
      instance: "/v1/events",
      code: "invalid",
      request_id: "r-1",
      errors: [{ pointer: "/severity", detail: "expected info" }, "nonsense"],
    }
    const { hub, clock } = world([Response.json(problem, { status: 422 })])
    const error = await ending(clock, hub.events.publish(EVENT, { idempotencyKey: "k" }))
    expect(error).toBeInstanceOf(HubProblem)
    expect(error).toBeInstanceOf(HubError)
    expect(error).toMatchObject({
      name: "HubProblem",
      message: "422 invalid: /severity: expected info",
      kind: "problem",
      code: "invalid",
      status: 422,
      title: problem.title,
      detail: problem.detail,
      errors: [{ pointer: "/severity", detail: "expected info" }],
      requestId: "r-1",
      idempotencyKey: "k",
    })
  })

  test("by something before the hub has no code of the hub's, and its page is not quoted", async () => {
    const page = new Response("<html>secret page</html>", { status: 403, headers: { "x-request-id": "r-2" } })
    const { hub, clock } = world([page])
    const error = await ending(clock, hub.events.get("evt_1"))
    expect(error).toMatchObject({ kind: "problem", code: "unknown", status: 403, requestId: "r-2" })
    expect(Bun.inspect(error)).not.toContain("secret page")
  })
})

describe("a pause", () => {
  test("doubles after each try where the hub asks for nothing", async () => {
    const { hub, clock, sent } = world([refusal(503)])
    await ending(clock, hub.events.publish(EVENT))
    expect(sent.map(({ at }) => at)).toEqual([0, 250, 750, 1_750, 3_750])
  })

  test("is anything below its bound, by chance", async () => {
    const { hub, clock, sent } = world([refusal(503)], { random: () => 0.5 })
    await ending(clock, hub.events.publish(EVENT), 5)
    expect(sent.map(({ at }) => at)).toEqual([0, 125, 375, 875, 1_875])
  })

  test("is what the hub asks for in seconds or as a date of its own clock, with the jitter after it", async () => {
    const seconds = refusal(503, { "retry-after": "3" })
    // The hub's clock is an hour ahead of this machine's.
    const date = refusal(429, { date: "Mon, 05 Jan 2026 10:00:00 GMT", "retry-after": "Mon, 05 Jan 2026 10:00:02 GMT" })
    const { hub, clock, sent } = world([seconds, date, Response.json(ACCEPTED)])
    await ending(clock, hub.events.publish(EVENT))
    expect(sent.map(({ at }) => at)).toEqual([0, 3_250, 3_250 + 2_500])
  })

  test("that the hub asks for is at most 30 s", async () => {
    const { hub, clock, sent } = world([refusal(503, { "retry-after": "86400" }), Response.json(ACCEPTED)])
    expect(await ending(clock, hub.events.publish(EVENT))).toEqual(ACCEPTED)
    expect(sent[1]?.at).toBe(30_250)
  })

  test("is not begun when the call would end before it", async () => {
    const { hub, clock, sent } = world([refusal(503, { "retry-after": "20" })])
    const error = await ending(clock, hub.events.publish(EVENT, { timeoutMs: 20_000 }))
    expect(error).toMatchObject({ status: 503, tries: 1, retryAfterMs: 20_000 })
    expect(clock.now()).toBeLessThan(1_000)
    expect(sent).toHaveLength(1)
  })
})

describe("the end of a call", () => {
  test("comes at its deadline, also where fetch does not hear of it", async () => {
    const { hub, clock, sent } = world(["never"])
    const error = await ending(clock, hub.events.publish(EVENT, { timeoutMs: 12_000, idempotencyKey: "k" }))
    expect(error).toBeInstanceOf(HubTimeout)
    expect(error).toMatchObject({ kind: "timeout", tries: 2, idempotencyKey: "k" })
    expect(sent.map(({ at }) => at)).toEqual([0, 10_250])
    expect(clock.now()).toBeLessThan(12_100)
    for (const { init } of sent) expect(init.signal?.aborted).toBe(true)
  })

  test("comes where timers fire early or late, without a try that has no time", async () => {
    for (const drift of [-1, 40]) {
      const { clock, sent, ...made } = world(["never"])
      const after = (ms: number, run: () => void) => clock.after(ms + drift, run)
      const answers = [refusal(503, { "retry-after": "1" })]
      const fetch: Fetch = async (url, init) => {
        const response = answers.shift()
        return response ?? made.fetch(url, init)
      }
      const hub = new Hub({
        apiKey: KEY,
        baseUrl: "http://hub.test",
        clock: { ...clock, after },
        fetch,
        random: () => 0,
      })
      const error = await ending(clock, hub.events.publish(EVENT, { timeoutMs: drift < 0 ? 5_000 : 1_020 }), 1)
      expect(error).toMatchObject(drift < 0 ? { kind: "timeout", tries: 2 } : { status: 503, tries: 1 })
      expect(sent).toHaveLength(drift < 0 ? 1 : 0)
    }
  })

  test("comes after five tries and a minute at most", async () => {
    const { hub, clock, sent } = world(["never"])
    expect(await ending(clock, hub.events.publish(EVENT))).toBeInstanceOf(HubTimeout)
    expect(sent).toHaveLength(5)
    expect(clock.now()).toBeLessThan(60_100)
  })

  test("comes at once when its author aborts a try, with the reason", async () => {
    const { hub, clock, sent } = world(["never"])
    const stop = new AbortController()
    const call = hub.events.publish(EVENT, { signal: stop.signal, idempotencyKey: "k" })
    const caught = call.catch((error: unknown) => error)
    await clock.advance(100)
    const reason = new Error("closing")
    stop.abort(reason)
    await clock.flush()
    const error = await caught
    expect(error).toBeInstanceOf(HubAborted)
    expect(error).toMatchObject({ name: "AbortError", kind: "aborted", cause: reason, tries: 1, idempotencyKey: "k" })
    expect(sent[0]?.init.signal?.aborted).toBe(true)
    expect(clock.pending).toBe(0)
  })

  test("comes at once when its author aborts a pause, and nothing is sent after it", async () => {
    const { hub, clock, sent } = world([refusal(503, { "retry-after": "10" })])
    const stop = new AbortController()
    const caught = hub.events.publish(EVENT, { signal: stop.signal }).catch((error: unknown) => error)
    await clock.advance(100)
    stop.abort()
    await clock.flush()
    expect(await caught).toBeInstanceOf(HubAborted)
    await clock.advance(60_000)
    expect(sent).toHaveLength(1)
    expect(clock.pending).toBe(0)
  })

  test("comes before anything is sent when it was aborted already", async () => {
    const { hub, clock, sent } = world([Response.json(ACCEPTED)])
    const call = hub.events.publish(EVENT, { signal: AbortSignal.abort() })
    expect(await ending(clock, call)).toBeInstanceOf(HubAborted)
    expect(sent).toEqual([])
  })

  test("says what the network said when no hub could be reached", async () => {
    const refused = Object.assign(new Error("connect"), { code: "ECONNREFUSED" })
    const { hub, clock, sent } = world([Object.assign(new TypeError("fetch failed"), { cause: refused })])
    const error = await ending(clock, hub.events.publish(EVENT))
    expect(error).toBeInstanceOf(HubUnreachable)
    expect(error).toMatchObject({ message: "the hub could not be reached: ECONNREFUSED: connect", tries: 5 })
    expect(sent).toHaveLength(5)
  })
})

describe("an answer", () => {
  test("that is a redirect is refused: the credential goes nowhere else", async () => {
    for (const status of [301, 302, 303, 307, 308]) {
      const { hub, clock, sent } = world([
        new Response(null, { status, headers: { location: "http://elsewhere.test/" } }),
      ])
      expect(await ending(clock, hub.events.publish(EVENT))).toMatchObject({
        kind: "unexpected_answer",
        message: expect.stringContaining("is a redirect"),
      })
      expect(sent.map(({ url, init }) => [url, init.redirect])).toEqual([["http://hub.test/v1/events", "manual"]])
    }
  })

  test("that is no JSON is refused, with the question whether this is a hub", async () => {
    const { hub, clock } = world([new Response("<html>welcome</html>")])
    expect(await ending(clock, hub.events.get("evt_1"))).toMatchObject({
      kind: "unexpected_answer",
      message: "the answer is no JSON: is baseUrl the hub's?",
    })
  })
})

describe("the credential", () => {
  test("is in no error, whatever the network, a proxy or the hub say of it, and in nothing that is printed", async () => {
    const quoting = ({ init }: Sent): string => JSON.stringify(init.headers)
    const answers: readonly ((sent: Sent) => Answer)[] = [
      (sent) => new Error(`cannot send ${quoting(sent)}`),
      (sent) => Object.assign(new TypeError("fetch failed"), { cause: new Error(quoting(sent)) }),
      (sent) => new Response(quoting(sent), { status: 400 }),
      (sent) => new Response(quoting(sent), { status: 200 }),
      (sent) => Response.json({ code: quoting(sent), title: quoting(sent), detail: quoting(sent) }, { status: 401 }),
      (sent) => Response.json({ errors: [{ pointer: "/", detail: quoting(sent) }] }, { status: 422 }),
    ]
    for (const answer of answers) {
      const { hub, clock, sent } = world([answer])
      const error = await ending(clock, hub.events.publish(EVENT))
      expect(error).toBeInstanceOf(HubError)
      expect(quoting(sent[0] as Sent)).toContain(KEY) // it was sent: the line above says that there was an answer
      const said = [Bun.inspect(error, { depth: 20 }), String((error as Error).stack), JSON.stringify(error)].join() // it is a HubError
      expect(said).not.toContain(KEY)
      expect(Bun.inspect(hub, { depth: 20 }) + JSON.stringify(hub)).not.toContain(KEY)
    }
  })

  test("that no header can carry is refused before anything is sent, and not quoted", () => {
    for (const apiKey of ["", `${KEY}\n`, `${KEY} x`, `${KEY}é`]) {
      const build = (): Hub => new Hub({ apiKey, baseUrl: "http://hub.test" })
      expect(build).toThrow(TypeError)
      expect(build).not.toThrow(KEY)
    }
  })

  test("of a person may be renewed: it is asked for before each try", async () => {
    const tokens = ["first", "second"]
    const token = async (): Promise<string> => tokens.shift() ?? "third"
    const { hub, clock, sent } = world([refusal(503), Response.json({ unread_count: 1, unseen_count: 1 })], {
      apiKey: undefined,
      token,
    })
    await ending(clock, hub.notifications.counts())
    expect(sent.map(({ init }) => new Headers(init.headers).get("authorization"))).toEqual([
      "Bearer first",
      "Bearer second",
    ])
  })

  test("that is never given does not hold up the call, and one that comes too late is not used", async () => {
    let give: (token: string) => void = () => {}
    const token = (): Promise<string> =>
      new Promise((resolve) => {
        give = resolve
      })
    const { hub, clock, sent } = world([Response.json({})], { apiKey: undefined, token })
    expect(await ending(clock, hub.notifications.counts({ timeoutMs: 1_000 }))).toBeInstanceOf(HubTimeout)
    give("late")
    await clock.flush()
    expect(sent).toEqual([])
  })

  test("whose source fails fails the call with what the source said", async () => {
    const signedOut = new Error("signed out")
    const token = (): Promise<string> => Promise.reject(signedOut)
    const { hub, clock, sent } = world([Response.json({})], { apiKey: undefined, token })
    expect(await ending(clock, hub.notifications.counts())).toBe(signedOut)
    expect(sent).toEqual([])
  })

  test("is one of the two kinds", () => {
    const both = { apiKey: KEY, token: "t", baseUrl: "http://hub.test" }
    const none = { baseUrl: "http://hub.test" }
    // What a caller without types may pass.
    for (const options of [both, none]) expect(() => new Hub(options as unknown as HubOptions)).toThrow(TypeError)
  })
})

describe("the address of a call", () => {
  test("keeps the path that a proxy put the hub under, and spells ids so that they stay one part of it", async () => {
    const { hub, clock, sent } = world([Response.json({})], { baseUrl: "https://x.test/hub//" })
    await ending(clock, hub.recipients.get("a|b/../c?d#e@f+g"))
    expect(sent[0]?.url).toBe("https://x.test/hub/v1/recipients/a%7Cb%2F..%2Fc%3Fd%23e%40f%2Bg")
  })

  test("is not that of another thing: an id that is a step in a path is refused", async () => {
    const { hub, clock, sent } = world([Response.json({})])
    for (const id of ["", ".", ".."]) expect(await ending(clock, hub.recipients.delete(id))).toBeInstanceOf(TypeError)
    expect(sent).toEqual([])
  })

  test("is refused where it is none, or holds a password, which is not quoted", () => {
    for (const baseUrl of ["", "hub.test", "ftp://hub.test", "https://me:secret@hub.test"]) {
      const build = (): Hub => new Hub({ apiKey: KEY, baseUrl })
      expect(build).toThrow(TypeError)
      expect(build).not.toThrow("secret")
    }
  })
})

describe("a list", () => {
  const pageOf = (after: string | null, ...ids: readonly string[]): Response =>
    Response.json({ data: ids.map((id) => ({ id })), page_info: { after, has_more: after !== null } })

  test("is read page by page, each asked for when it is needed", async () => {
    const { hub, clock, sent } = world([pageOf("b", "a", "b"), pageOf("d", "c", "d"), pageOf(null, "e")])
    const list = hub.events.list({ type: "x y", since: new Date("2026-01-01T00:00:00Z"), limit: 2 })
    expect(sent).toEqual([])
    const ids: string[] = []
    const reading = (async () => {
      for await (const { id } of list) ids.push(id)
    })()
    await ending(clock, reading)
    expect(ids).toEqual(["a", "b", "c", "d", "e"])
    const queries = sent.map(({ url }) => new URL(url).search)
    expect(queries[0]).toBe("?type=x+y&since=2026-01-01T00%3A00%3A00.000Z&limit=2")
    expect(queries.slice(1).map((query) => new URLSearchParams(query).get("after"))).toEqual(["b", "d"])
  })

  test("that would go round in circles ends with an error", async () => {
    for (const [after, pages] of [
      ["a", 2],
      [null, 1],
    ] as const) {
      const stuck = Response.json({ data: [], page_info: { after, has_more: true } })
      const { hub, clock, sent } = world([stuck])
      const reading = (async () => {
        for await (const _ of hub.recipients.list());
      })()
      expect(await ending(clock, reading)).toMatchObject({ kind: "unexpected_answer" })
      expect(sent).toHaveLength(pages)
    }
  })
})

test("whoever deletes again because the answer got lost is not told that nothing was there", async () => {
  const gone = Response.json({ code: "not_found" }, { status: 404 })
  const lost = world([new Error("cut"), gone])
  expect(await ending(lost.clock, lost.hub.recipients.delete("u1"))).toBeUndefined()
  const never = world([gone])
  expect(await ending(never.clock, never.hub.recipients.delete("u1"))).toMatchObject({ code: "not_found" })
})
