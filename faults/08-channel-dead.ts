/** A provider that takes every request and answers none, with a crowd waiting for it, while another channel has its work. */
import { accountIn } from "../src/testing/margin-call.ts"
import { seedDeliveries } from "../src/testing/seed-deliveries.ts"
import { fault, percentile } from "./fault.ts"
import { broken, endings, inWorld, timed, type World } from "./world.ts"

/** What a dispatcher sends at once (`IN_FLIGHT` in delivery/dispatcher.ts): so many stand before the dead door. */
const AT_ONCE = 32
/** Shorter than the 15 s after which what hangs gives its place back: whoever waits for that place is late by then. */
const PATIENCE_MS = 5_000
const LOOK_MS = 20
/** Of the breaker the longest pause, and before it a try that hangs. */
const BACK_MS = 80_000

export const channelDead = fault({
  number: 8,
  name: "one channel dead",
  short: { waiting: 64, perSecond: 40, calls: 40, deadMs: 0, slower: null },
  full: { waiting: 2_000, perSecond: 50, calls: 500, deadMs: 180_000, slower: 1.2 },
  injected: ({ waiting, perSecond, deadMs }) =>
    `Slack takes what it gets and answers nothing${deadMs === 0 ? "" : ` for ${deadMs / 1_000} s`}, ${waiting} wait for it, ${perSecond} Telegram messages/s`,
  run: ({ waiting, perSecond, calls, deadMs, slower }, mutant) =>
    inWorld({ mutant }, async (world) => {
      const { providers } = world
      const { promise: released, resolve: release } = Promise.withResolvers<void>()
      world.defer(release)
      providers.always("slack", deadMs === 0 ? { kind: "wait", released } : { kind: "hang" })
      const hub = await world.hub({ settings: { SLACK_WEBHOOK_URL: providers.slackWebhook() } })
      const load = world.load({ perSecond, url: () => `http://127.0.0.1:${hub.port}` })
      await load.more(calls)
      await unsent(world, load.acked)
      const before = await latencies(world, 0)

      const dead = Date.now()
      await seedDeliveries(world.db, crowd(waiting))
      await providers.waitFor(AT_ONCE, "slack")
      const begun = Date.now()
      do await load.more(calls)
      while (Date.now() - begun < deadMs)
      const late = await unsent(world, load.acked)
      const meanwhile = await latencies(world, begun)

      const asked = providers.callsOf("slack").length
      // Those that were under way when it was noticed, then a probe after each pause, which is a second at the least.
      const probes = 2 * AT_ONCE + (Date.now() - dead) / 1_000
      providers.always("slack", { kind: "ok" })
      release()
      // A probe may be under way, and another pause behind it.
      const back = await timed(providers.waitFor(asked + 1, "slack"), 2 * BACK_MS)
      const ratio = percentile(meanwhile, 0.99) / percentile(before, 0.99)
      return [
        { what: "waited for Slack", value: late, atMost: 0 },
        { what: "Telegram's p99 before", value: percentile(before, 0.99), unit: "ms" },
        { what: "meanwhile", value: percentile(meanwhile, 0.99), unit: "ms" },
        { what: "ratio", value: ratio, ...(slower === null ? {} : { atMost: slower }) },
        { what: "asked of Slack", value: asked, atMost: Math.floor(probes) },
        { what: "asked again after", value: back, unit: "ms", atMost: BACK_MS },
        ...(await world.judged(load, { again: 0 })),
        { what: "Slack's undone", value: await unsettled(world), atMost: 0 },
        broken(hub),
        await endings(world, [hub]),
      ]
    }),
})

/** Each names an account of its own, so that none is taken for a repeated Telegram message. */
const crowd = (count: number) =>
  Array.from({ length: count }, (_, n) => ({
    channel: "slack" as const,
    message: {
      channel: "slack" as const,
      webhookUrl: null,
      text: `acc-${1e6 + n}.`,
      actionUrl: null,
      actionLabel: null,
    },
  }))

/** How many of the acknowledged have not been sent when nobody should have to wait any more. */
async function unsent({ providers }: World, acked: ReadonlyMap<string, string>): Promise<number> {
  const keys = [...acked.keys()]
  for (const since = performance.now(); ; await Bun.sleep(LOOK_MS)) {
    const sent = new Set(providers.callsOf("telegram").map(({ text }) => accountIn(text)))
    const left = keys.filter((key) => !sent.has(key)).length
    if (left === 0 || performance.now() - since > PATIENCE_MS) return left
  }
}

/** From an event's acceptance to its Telegram call, of those accepted from `since` to `until`; both clocks are this machine's. */
export async function latencies(
  { db, providers }: World,
  since: number,
  until = Date.now(),
): Promise<readonly number[]> {
  const calledAt = new Map(providers.callsOf("telegram").map(({ text, at }) => [accountIn(text), at]))
  const rows = await db.query<{ key: string; at: number }>(
    `select idempotency_key as key, (extract(epoch from accepted_at) * 1000)::float8 as at from events
     where idempotency_key is not null and accepted_at between to_timestamp($1::float8 / 1000) and to_timestamp($2::float8 / 1000)`,
    [since, until],
  )
  return rows.flatMap(({ key, at }) => {
    const called = calledAt.get(key)
    return called === undefined ? [] : [called - at]
  })
}

async function unsettled({ db }: World): Promise<number> {
  const [row] = await db.query<{ n: number }>(
    "select count(*)::int as n from deliveries where channel = 'slack' and status <> 'delivered'",
  )
  return row?.n ?? 0
}
