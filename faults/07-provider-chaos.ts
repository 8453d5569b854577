/** Every channel's provider answers in every way that there is, and some that there should not be. */
import { join } from "node:path"
import { SENDING_CHANNELS, type SendingChannel } from "../src/domain/channel.ts"
import type { DeliveryId } from "../src/domain/ids.ts"
import type { Message } from "../src/domain/message.ts"
import { eventually } from "../src/testing/eventually.ts"
import type { FakeProviders, Request } from "../src/testing/fake-providers.ts"
import { googleAccount } from "../src/testing/google-account.ts"
import { seedDeliveries, someMessage } from "../src/testing/seed-deliveries.ts"
import { fault } from "./fault.ts"
import { expectedOf, REPLIES, type Reply } from "./replies.ts"
import { broken, endings, inWorld, type World } from "./world.ts"

/** Once, and again for those that were not sent: whoever tries more often goes on for ever. */
const MOST_TRIES = 3
const FLAT_MB = 50
const SETTLED_MS = 120_000

interface Case {
  readonly id: DeliveryId
  readonly channel: SendingChannel
  readonly reply: Reply
}

export const providerChaos = fault({
  number: 7,
  name: "provider chaos",
  short: { copies: 1, patienceMs: 1_000, accounts: 1 },
  full: { copies: 10, patienceMs: 5_000, accounts: 2 },
  injected: ({ copies, patienceMs }) =>
    `${REPLIES.length} kinds of answers on ${SENDING_CHANNELS.length} channels, ${copies} of each, patience ${patienceMs / 1_000} s`,
  run: ({ copies, patienceMs, accounts: most }, mutant) =>
    inWorld({ mutant }, async (world) => {
      const { providers } = world
      const start = () =>
        world.hub({
          settings: { ...accounts(providers), PACE_PROVIDER_MS: String(patienceMs) },
          preloads: [join(import.meta.dirname, "pace.ts")],
        })
      let hub = await start()
      const asked = new Map<string, number>()
      for (const channel of SENDING_CHANNELS)
        providers.always(channel, (call) => {
          const key = keyOf(call)
          asked.set(key, (asked.get(key) ?? 0) + 1)
          return asked.get(key) === 1 ? replyOf(call).behaviour : { kind: "ok" }
        })

      const [takes] = REPLIES
      if (takes === undefined) throw new Error("there are replies")
      // Every SDK is loaded, which takes longer than the patience on a busy machine: what that is taken for is not judged.
      await settled(world, await seed(world, [takes], copies))
      const warmUp = providers.calls.length
      const cases: Case[] = []
      const before = await megabytes(hub.pid)
      // One after the other: a provider that does nothing but fail is left alone, which another fault shows.
      const each = REPLIES.filter(({ account }) => account !== true)
      for (let copy = 0; copy < copies; copy += 1) {
        cases.push(...(await seed(world, each, copy)))
        await settled(world, cases)
      }
      const grown = (await megabytes(hub.pid)) - before

      let well = true
      for (const reply of REPLIES.filter(({ account }) => account === true).slice(0, most)) {
        const ours = await seed(world, [reply], 0)
        cases.push(...ours)
        await tried(world, ours)
        // The account was mended: whoever starts asks again at once.
        well = (await world.end(hub)) && well
        hub = await start()
        await settled(world, ours)
      }
      return [
        { what: "cases", value: cases.length, atLeast: 100 },
        ...(await judged(world, cases)),
        { what: "asked again by the runtime", value: (await unsaid(world, cases)) - warmUp, atMost: 0 },
        { what: "memory grew, MB", value: grown, atMost: FLAT_MB },
        { what: "hubs that did not end well", value: well ? 0 : 1, atMost: 0 },
        broken(hub),
        await endings(world, [hub]),
      ]
    }),
})

const accounts = (providers: FakeProviders): Readonly<Record<string, string>> => ({
  SLACK_WEBHOOK_URL: providers.slackWebhook(),
  EMAIL_FROM: "hub@example.com",
  RESEND_API_KEY: "re_test",
  RESEND_BASE_URL: providers.url,
  TWILIO_ACCOUNT_SID: `AC${"0".repeat(32)}`,
  TWILIO_AUTH_TOKEN: "a-token-of-twilio",
  TWILIO_FROM: "+15005550006",
  TWILIO_VOICE_PHONE_NUMBER: "+15005550006",
  TWILIO_API_ROOT: providers.url,
  FCM_SERVICE_ACCOUNT: googleAccount(`${providers.url}/token`).reveal(),
  FCM_API_ROOT: providers.url,
})

/** What a message says of itself: which reply it is to have, and in which round. */
const words = (reply: Reply, copy: number): string => `reply-${REPLIES.indexOf(reply)}-${copy}.`
const keyOf = ({ channel, text }: Request): string => `${channel} ${/reply-\d+-\d+\./.exec(text)?.[0] ?? "?"}`
function replyOf({ text }: Request): Reply {
  const found = REPLIES[Number(/reply-(\d+)-/.exec(text)?.[1])]
  if (found === undefined) throw new Error(`no case of ours: ${text}`)
  return found
}

async function seed(world: World, replies: readonly Reply[], copy: number): Promise<readonly Case[]> {
  const all = replies.flatMap((reply) =>
    SENDING_CHANNELS.filter((channel) => expectedOf(reply, channel).length > 0).map((channel) => ({
      channel,
      reply,
      words: words(reply, copy),
    })),
  )
  const message = (channel: SendingChannel, text: string): Message =>
    channel === "webhook"
      ? { channel, url: world.providers.systemWebhook(), secret: null, body: JSON.stringify({ type: text }) }
      : someMessage(channel, text)
  const ids = await seedDeliveries(
    world.db,
    all.map((one) => ({ channel: one.channel, message: message(one.channel, one.words) })),
  )
  return all.flatMap(({ channel, reply }, n) => {
    const id = ids[n]
    return id === undefined ? [] : [{ id, channel, reply }]
  })
}

const idsOf = (cases: readonly Case[]): readonly DeliveryId[] => cases.map(({ id }) => id)

/** Each has had its first try. */
const tried = ({ db }: World, cases: readonly Case[]): Promise<unknown> =>
  eventually(
    () => db.query("select from attempts where number = 1 and delivery_id = any ($1)", [[...idsOf(cases)]]),
    (rows) => rows.length === cases.length,
    { withinMs: SETTLED_MS, what: "first tries" },
  )

/**
 * Each has ended. What is to be tried later is due now: how long it was to wait was written down. A channel that pauses after
 * so many failures begins slowly again, and its probes may be answered by a hang: fewer must be left every so often.
 */
async function settled({ db }: World, cases: readonly Case[]): Promise<void> {
  const ids = [...idsOf(cases)]
  const hurried = async (): Promise<number> => {
    await db.execute(
      `update deliveries set next_attempt_at = now() where status in ('retrying', 'queued') and next_attempt_at > now() + interval '1 second'
       and id = any ($1)`,
      [ids],
    )
    return (await db.query("select from deliveries where status not in ('delivered', 'dead') and id = any ($1)", [ids]))
      .length
  }
  for (let left = Number.POSITIVE_INFINITY; left > 0; ) {
    const least = left
    left = await eventually(hurried, (n) => n < least, {
      withinMs: SETTLED_MS,
      everyMs: 500, // whoever hurries them holds them
      what: "how many have not ended",
    })
  }
}

interface Row {
  readonly id: DeliveryId
  readonly status: string
  readonly reason: string | null
  readonly tries: number
  readonly seen: string
  readonly wait_ms: number | null
}

/** The first try of each was seen as what it was, waited for as asked, and each ended as it should. */
async function judged({ db }: World, cases: readonly Case[]) {
  const rows = await db.query<Row>(
    `select d.id, d.status, d.reason, d.attempt as tries, a.outcome || '/' || coalesce(a.reason, 'null') as seen,
       (extract(epoch from a.again_at - a.finished_at) * 1000)::float8 as wait_ms
     from deliveries d join attempts a on a.delivery_id = d.id and a.number = 1`,
  )
  const of = new Map(rows.map((row) => [row.id, row]))
  const wrong: string[] = []
  const note = (one: Case, what: string): void => void wrong.push(`${one.channel}, ${one.reply.name}: ${what}`)
  let early = 0
  for (const one of cases) {
    const row = of.get(one.id)
    const expected = expectedOf(one.reply, one.channel)
    if (row === undefined || !expected.includes(row.seen)) {
      note(one, `${row?.seen}, not ${expected.join(" or ")}`)
      continue
    }
    const ends = row.seen.startsWith("rejected/") ? `dead/${row.seen.slice("rejected/".length)}` : "delivered/"
    if (!`${row.status}/${row.reason ?? ""}`.startsWith(ends)) note(one, `ended ${row.status} (${row.reason})`)
    if (row.tries > MOST_TRIES) note(one, `tried ${row.tries} times`)
    const { waits } = one.reply
    const ms = row.wait_ms ?? 0
    if (waits !== undefined && (ms < waits.least - 50 || ms > waits.most)) {
      early += 1
      note(one, `waits ${Math.round(ms)} ms`)
    }
  }
  for (const line of wrong.slice(0, 20)) console.error(line)
  return [
    { what: "taken for something else", value: wrong.length - early, atMost: 0 },
    { what: "waits that were not wished", value: early, atMost: 0 },
  ]
}

/** Requests that no attempt tells of. */
async function unsaid({ db, providers }: World, cases: readonly Case[]): Promise<number> {
  const [row] = await db.query<{ n: number }>("select count(*)::int as n from attempts where delivery_id = any ($1)", [
    [...idsOf(cases)],
  ])
  return providers.calls.length - (row?.n ?? 0)
}

const megabytes = async (pid: number): Promise<number> =>
  Number(/^VmRSS:\s+(\d+) kB/m.exec(await Bun.file(`/proc/${pid}/status`).text())?.[1]) / 1_024
