/** A hub whose wall clock jumps by hours and runs too fast, while leases, pauses, delays and limits go on beside it. */
import { join } from "node:path"
import { tokenFor } from "../src/testing/front.ts"
import { accountIn } from "../src/testing/margin-call.ts"
import { calls, DELAY_MS } from "./calls.ts"
import { fault, percentile } from "./fault.ts"
import { broken, endings, inWorld, type World } from "./world.ts"

const HOUR_MS = 3_600_000
/** An hour back, two ahead, a leap second, and where it should be. */
const OFFSETS = [-HOUR_MS, 2 * HOUR_MS, 1_000, 0]
/** One message in so many is asked to wait by its provider. */
const EVERY = 10
const WISH_S = 2

export const clockJumps = fault({
  number: 22,
  name: "wall clock jumps",
  short: { perSecond: 80, events: 160, everyMs: 300, lateMs: null },
  full: { perSecond: 200, events: 12_000, everyMs: 1_000, lateMs: 2_000 },
  injected: ({ perSecond, everyMs }) =>
    `the hub's clock is an hour behind, two ahead, a second ahead or right, changing each ${everyMs / 1_000} s, and 5 % too fast; ${perSecond} events/s`,
  run: ({ perSecond, events, everyMs, lateMs }, mutant) =>
    inWorld({ mutant }, async (world) => {
      const { providers } = world
      const { settings, load: callLoad, told } = await calls(world)
      const putOff = new Set<string>()
      let asked = 0
      providers.always("telegram", ({ text }) => {
        asked += 1
        if (asked % EVERY !== 0 || putOff.has(accountIn(text))) return { kind: "ok" }
        putOff.add(accountIn(text))
        return { kind: "answer", status: 429, headers: { "retry-after": String(WISH_S) }, body: "slow down" }
      })
      const hub = await world.hub({
        preloads: [join(import.meta.dirname, "skewed.ts")],
        settings: { ...settings, SKEW_MS: OFFSETS.join(","), SKEW_EVERY_MS: String(everyMs) },
      })
      const tokens = startTokens(() => `http://127.0.0.1:${hub.port}`)
      const load = callLoad(perSecond, () => `http://127.0.0.1:${hub.port}`)
      await load.more(events)
      await told(load)
      const taken = await tokens.stop()
      const figures = await world.judged(load, { again: 0 })
      const gaps = againAfter(world, putOff)
      const delays = await calledAfter(world)
      const bound = lateMs === null ? {} : { atMost: lateMs }
      return [
        ...figures,
        { what: "asked to wait", value: gaps.length, atLeast: events / EVERY / 4 },
        { what: "again too early", value: gaps.filter((ms) => ms < WISH_S * 1_000).length, atMost: 0 },
        { what: "delayed", value: delays.length, atLeast: events / 4 },
        { what: "told too early", value: delays.filter((ms) => ms < DELAY_MS).length, atMost: 0 },
        { what: "late at p99", value: percentile(delays, 0.99) - DELAY_MS, unit: "ms", ...bound },
        { what: "tokens asked with", value: taken.asked, atLeast: 5 },
        { what: "good tokens refused", value: taken.refused, atMost: 0 },
        { what: "tokens taken after a minute of grace", value: taken.late, atMost: 0 },
        broken(hub),
        await endings(world, [hub]),
      ]
    }),
})

/** A leeway of a minute is what issuers' clocks are given. */
const LEEWAY_S = 60
const TOKEN_EVERY_MS = 50

/** Asks all the while with a token that is good for another minute, and with one that has ended a leeway ago. */
function startTokens(url: () => string): { stop(): Promise<{ asked: number; refused: number; late: number }> } {
  const seen = { asked: 0, refused: 0, late: 0 }
  let stopped = false
  const status = async (endsInS: number): Promise<number> => {
    const exp = Math.floor(Date.now() / 1_000) + endsInS
    // Each is another token: what was seen once is remembered.
    const key = await tokenFor({ sub: "ann", business_id: "desk", exp, jti: crypto.randomUUID() })
    const answer = await fetch(`${url()}/v1/prefs`, { headers: { authorization: `Bearer ${key}` } })
    await answer.body?.cancel()
    return answer.status
  }
  const asking = (async () => {
    for (; !stopped; await Bun.sleep(TOKEN_EVERY_MS)) {
      const [good, ended] = await Promise.all([status(LEEWAY_S), status(-LEEWAY_S - 2)])
      seen.asked += 1
      if (good !== 200) seen.refused += 1
      if (ended !== 401) seen.late += 1
    }
  })()
  return {
    async stop() {
      stopped = true
      await asking
      return seen
    },
  }
}

/** From the answer that asked for patience to the next try; the clock is the provider's, which is right. */
function againAfter({ providers }: World, putOff: ReadonlySet<string>): readonly number[] {
  const first = new Map<string, number>()
  const gaps: number[] = []
  for (const { text, at } of providers.callsOf("telegram")) {
    const key = accountIn(text)
    if (!putOff.has(key)) continue
    const before = first.get(key)
    if (before === undefined) first.set(key, at)
    else gaps.push(at - before)
  }
  return gaps
}

/** From a late call's acceptance, by the database's clock, to its first try. */
export async function calledAfter({ db, providers }: World): Promise<readonly number[]> {
  const calledAt = new Map<string, number>()
  for (const { text, at } of providers.callsOf("telegram")) {
    const key = accountIn(text)
    if (!calledAt.has(key)) calledAt.set(key, at)
  }
  const rows = await db.query<{ key: string; at: number }>(
    `select idempotency_key as key, (extract(epoch from accepted_at) * 1000)::float8 as at from events
     where type = 'LATE_CALL'`,
  )
  return rows.flatMap(({ key, at }) => {
    const called = calledAt.get(key)
    // Milliseconds of the one, microseconds of the other.
    return called === undefined ? [] : [called + 1 - at]
  })
}
