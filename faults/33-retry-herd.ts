/** Everything fails at once, and is to be tried again: not all of it at the same moment. */
import { eventually } from "../src/testing/eventually.ts"
import { seedDeliveries } from "../src/testing/seed-deliveries.ts"
import { fault } from "./fault.ts"
import { broken, endings, inWorld, type World } from "./world.ts"

/** Of the first retry (contract §9). */
const FIRST_RETRY_MS = 5_000
/** What a limit may let go at once is a second's worth; so many may be on their way when it has. */
const IN_FLIGHT = 32
const DRAINED_MS = 600_000

export const retryHerd = fault({
  number: 33,
  name: "retry herd",
  short: { herd: 200, perSecond: 100 },
  full: { herd: 20_000, perSecond: 400 },
  injected: ({ herd, perSecond }) =>
    `${herd} deliveries to systems fail at once, then none does; ${perSecond} a second are allowed`,
  run: ({ herd, perSecond }, mutant) =>
    inWorld({ mutant }, async (world) => {
      const { db, providers } = world
      const seen = new Set<string>()
      const failed = Promise.withResolvers<void>()
      // Each fails once, however late the last of them is asked for: nobody's recovery is another's.
      providers.always("webhook", ({ text }) => {
        if (seen.has(text)) return { kind: "ok" }
        seen.add(text)
        if (seen.size === herd) failed.resolve()
        return { kind: "answer", status: 500, body: "oops" }
      })
      // Webhooks open no breaker, which would hold all but a few of them back.
      const message = (n: number) => ({
        channel: "webhook" as const,
        url: providers.systemWebhook(),
        secret: null,
        body: JSON.stringify({ type: `herd-${n}` }),
      })
      await seedDeliveries(
        db,
        Array.from({ length: herd }, (_, n) => ({ channel: "webhook" as const, message: message(n) })),
      )
      const first = await world.hub()
      await failed.promise
      // That all of them have failed is known; only then is the rate limited, and they all want to go.
      const well = await world.end(first)
      const limitedAt = Date.now()
      const hub = await world.hub({ settings: { HUB_SEND_LIMIT: `webhook=${perSecond}` } })
      await eventually(
        () => db.query<{ n: number }>("select count(*)::int as n from deliveries where status <> 'delivered'"),
        ([row]) => row?.n === 0,
        { withinMs: DRAINED_MS, everyMs: 100, what: "what is not delivered" },
      )
      // Of a large herd the first come again while the last still fail, as fast as the hub can.
      const retries = providers
        .callsOf("webhook")
        .map(({ at }) => at)
        .filter((at) => at >= limitedAt)
      const planned = await pauses(world)
      return [
        { what: "failed", value: planned.length, atLeast: herd },
        { what: "longest pause", value: Math.max(...planned), unit: "ms", atMost: FIRST_RETRY_MS },
        { what: "again under the limit", value: retries.length, atLeast: herd / 4 },
        // Spread over 5 s evenly, a quarter of a second holds a twentieth.
        { what: "planned within a quarter second, %", value: (100 * densest(planned, 250)) / herd, atMost: 15 },
        { what: "most in a second", value: densest(retries, 1_000), atMost: 2 * perSecond + IN_FLIGHT },
        {
          what: "most in two seconds, %",
          value: (100 * densest(retries, 2_000)) / herd,
          ...(herd < 1_000 ? {} : { atMost: 20 }),
        },
        {
          what: "asked more than twice",
          value: Math.max(0, providers.callsOf("webhook").length - 2 * herd),
          atMost: 0,
        },
        { what: "hubs that did not end well", value: well ? 0 : 1, atMost: 0 },
        broken(hub),
        await endings(world, [hub]),
      ]
    }),
})

/** How long each was to wait after its failure. */
const pauses = async ({ db }: World): Promise<readonly number[]> =>
  (
    await db.query<{ ms: number }>(
      `select (extract(epoch from again_at - finished_at) * 1000)::float8 as ms from attempts
       where number = 1 and outcome = 'retry'`,
    )
  ).map(({ ms }) => ms)

/** How many of these moments lie in the fullest window of `ms`. */
function densest(moments: readonly number[], ms: number): number {
  const sorted = moments.toSorted((a, b) => a - b)
  let from = 0
  let most = 0
  sorted.forEach((at, n) => {
    while (at - (sorted[from] ?? at) >= ms) from += 1
    most = Math.max(most, n - from + 1)
  })
  return most
}
