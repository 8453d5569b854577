/**
 * Catalogue 31 in short: an open loop at three times what the hub can commit. What is too much is refused at once, before it
 * is read; what is taken is answered soon; and when the flood is over, all is as before.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { systemClock } from "../runtime/clock.ts"
import type { Database } from "../store/database.ts"
import { eventually } from "../testing/eventually.ts"
import { fakeClock } from "../testing/fake-clock.ts"
import { type FloodAnswer, flood } from "../testing/flood.ts"
import { ADMIN_KEY, type Front, type FrontParts, startFront } from "../testing/front.ts"
import { rawHttp } from "../testing/raw-http.ts"
import { type Accept, createAccept } from "./accept.ts"
import { acceptWait } from "./accept-wait.ts"
import { ingestRoutes } from "./http.ts"

/** Two commits at a time, of 25 events, each held for 100 ms: at most 500 events a second, whatever the machine. */
const BATCH = 25
const COMMIT_MS = 100
const CAPACITY = (2 * BATCH * 1_000) / COMMIT_MS

/** Who would wait longer for a commit is refused. */
const REFUSED_FROM_MS = 500
/** Commits wait for it. */
let gate: Promise<void> = Promise.resolve()
/** How long each commit took, in milliseconds: what the hub could have stored depends on the machine too. */
const commits: number[] = []
/** A database whose commits of events take a while. */
const slowed = (db: Database): Database => ({
  ...db,
  async query<Row>(text: string, values: Parameters<Database["query"]>[1] = []) {
    if (!text.includes("insert into events")) return db.query<Row>(text, values)
    const began = performance.now()
    await Bun.sleep(COMMIT_MS)
    await gate
    const rows = await db.query<Row>(text, values)
    commits.push(performance.now() - began)
    return rows
  },
})
let accept: Accept
const routes = (parts: FrontParts) => {
  accept = createAccept({ ...parts, db: slowed(parts.db), maxItems: BATCH })
  return [ingestRoutes({ ...parts, accept })]
}

let front: Front
beforeAll(async () => {
  front = await startFront(routes)
})
afterAll(() => front.stop())

let serial = 0
const send = (perSecond: number, seconds: number): Promise<readonly FloodAnswer[]> =>
  flood({
    port: Number(new URL(front.url).port),
    perSecond,
    seconds,
    event: () => `{"type":"t","source":"flood","idempotency_key":"f-${++serial}"}`,
  })
const percentile = (values: readonly number[], share: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? 0
const storedCount = async (): Promise<number> =>
  Number((await front.db.query<{ n: string }>("select count(*) as n from events"))[0]?.n)

describe("at three times its capacity", () => {
  test("the hub goes on at its capacity, answers what it takes soon, refuses the rest at once, and is itself again after it", async () => {
    const seconds = 5
    const answers = await send(3 * CAPACITY, seconds)
    const possible = commits.length * BATCH
    const calm = await send(CAPACITY / 5, 2)

    const taken = answers.filter(({ status }) => status === 201)
    const refused = answers.filter(({ status }) => status !== 201)
    const goodput = taken.length / seconds
    const figures = {
      offered: Math.round(answers.length / seconds),
      capacity: CAPACITY,
      goodput: Math.round(goodput),
      ofCommits: Math.round((100 * taken.length) / possible),
      takenP99: Math.round(
        percentile(
          taken.map(({ ms }) => ms),
          0.99,
        ),
      ),
      refusedP99: Math.round(
        percentile(
          refused.map(({ ms }) => ms),
          0.99,
        ),
      ),
      calmP99: Math.round(
        percentile(
          calm.map(({ ms }) => ms),
          0.99,
        ),
      ),
    }
    console.log(`overload: ${JSON.stringify(figures)}`)

    expect(new Set(refused.map(({ status }) => status))).toEqual(new Set([503]))
    expect(refused.every(({ retryAfter }) => (retryAfter ?? 0) >= 1)).toBe(true)
    expect(refused.length).toBeGreaterThan(answers.length / 4)
    // No commit goes out half empty while somebody is refused; the figures above are the measure.
    expect(taken.length).toBeGreaterThan(0.8 * possible)
    expect(figures.takenP99).toBeLessThan(5_000)
    expect(figures.refusedP99).toBeLessThan(2_500)
    // Accepted means stored, refused means not.
    expect(await storedCount()).toBe(taken.length + calm.length)
    // A second later it takes everything again.
    expect(calm.filter(({ at }) => at > 1_000).every(({ status }) => status === 201)).toBe(true)
  }, 60_000)

  test("whoever is refused need not send the body first", async () => {
    // While no commit comes back, who has been refused once is refused until the gate opens.
    const held = Promise.withResolvers<void>()
    gate = held.promise
    const busy = send(CAPACITY, 1)
    try {
      await eventually(
        async () => accept.expectedWaitMs?.() ?? 0,
        (ms) => ms > REFUSED_FROM_MS,
        { withinMs: 10_000, what: "the wait for a commit" },
      )
      const port = Number(new URL(front.url).port)
      const head = `POST /v1/events/batch HTTP/1.1\r\nHost: hub.example\r\nAuthorization: Bearer ${ADMIN_KEY}\r\nContent-Type: application/json\r\n`
      const answer = await rawHttp(port, { parts: [`${head}Content-Length: 8000000\r\n\r\n[`], withinMs: 5_000 })
      expect(answer.status).toBe(503)
      expect(answer.text).toMatch(/retry-after: 1\r\n/i)
      expect(answer.closedAfterMs).toBeLessThan(2_000)
    } finally {
      held.resolve()
    }
    await busy
  }, 30_000)
})

describe("what an event would have to wait", () => {
  const batch = { items: 10, inFlight: 2 }

  test("is nothing while less than a batch waits or the first commit only pauses; a commit that hangs counts for what it has taken", async () => {
    const clock = fakeClock()
    const wait = acceptWait(clock, batch)
    const commit = wait.timed(async () => new Promise<void>((resolve) => clock.after(9_000, resolve)))
    await clock.advance(2_000)
    expect(wait.expectedMs(1_000)).toBe(0)
    await clock.advance(6_000)
    expect(wait.expectedMs(9)).toBe(0)
    expect(wait.expectedMs(10)).toBe(4_000)
    await clock.advance(1_000)
    await commit
  })

  test("follows from the commits before: so many batches, two at a time, as long as they usually take", async () => {
    const clock = fakeClock()
    const wait = acceptWait(clock, batch)
    for (let n = 0; n < 40; n++) {
      const commit = wait.timed(() => new Promise<void>((resolve) => clock.after(100, resolve)))
      await clock.advance(100)
      await commit
    }
    expect(wait.expectedMs(99)).toBeCloseTo(450, -1)
    expect(wait.expectedMs(1_000)).toBeCloseTo(5_000, -2)
  })

  test("forgets a commit that failed like any other", async () => {
    const wait = acceptWait(systemClock, batch)
    await wait.timed(() => Promise.reject(new Error("away"))).catch(() => {})
    expect(wait.expectedMs(10)).toBeLessThan(1_000)
  })
})
