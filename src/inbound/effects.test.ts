import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test"
import fc from "fast-check"
import type { DeliveryId } from "../domain/ids.ts"
import type { Message } from "../domain/message.ts"
import { RECEIPTS } from "../domain/receipt.ts"
import { createAccept } from "../ingest/accept.ts"
import { hashOfAddress } from "../store/address-hash.ts"
import { claimDue } from "../store/deliveries.ts"
import { sweepSeen } from "../store/inbound.ts"
import { type Front, startFront } from "../testing/front.ts"
import { seedDeliveries, seedReader } from "../testing/seed-deliveries.ts"
import { createEffects, type Effects, type Reply } from "./effects.ts"

const PHONE = "+9647701234567"
const sms: Message = { channel: "sms", to: PHONE, text: "Short.", actionUrl: null, actionLabel: null }

let front: Front
let effects: Effects
beforeAll(async () => {
  front = await startFront(() => [])
  effects = createEffects({ ...front, accept: createAccept(front) })
})
afterAll(() => front.stop())
const TABLES = "deliveries messages attempts notifications timers suppressions inbound_seen routing_queue events".split(
  " ",
)
afterEach(() =>
  front.db.execute(`with ${TABLES.map((table) => `${table}_ as (delete from ${table})`).join(", ")} select 1`),
)

/** An SMS that waits, with its address as routing would have stored it. */
async function waiting(): Promise<DeliveryId> {
  const [id] = await seedDeliveries(front.db, [{ channel: "sms", message: sms }])
  if (id === undefined) throw new Error("nothing was seeded")
  await front.db.execute(`update messages set sent_to = ${hashOfAddress("$1", "$2")}`, ["sms", PHONE])
  await seedReader(front.db, "ann", [id])
  return id
}
const status = async (): Promise<readonly unknown[]> => {
  const rows = await front.db.query<{ status: string; reason: string | null }>("select status, reason from deliveries")
  return rows.map((row) => [row.status, row.reason])
}
const claim = () => claimDue(front.db, { channel: "sms", limit: 10, owner: "o", leaseMs: 15_000 })
const stop = (id = "SM1") => effects.suppress({ via: "twilio", id }, { channel: "sms", address: PHONE }, "stop")
const start = (id = "SM2") => effects.resume({ via: "twilio", id }, "sms", PHONE)
const counts = (all: readonly string[]) =>
  Object.fromEntries([...Map.groupBy(all, (one) => one)].map(([k, v]) => [k, v.length]))

describe("an effect", () => {
  test("comes once of an answer that comes twenty times at once", async () => {
    const id = await waiting()
    const twenty = Array.from({ length: 20 }, (_, n) => n)
    const reported = { channels: ["sms"], delivery: id, providerMessageId: null } as const
    const reply: Reply = { delivery: id, channel: "sms", text: "Why?" }
    const all = [
      await Promise.all(twenty.map(() => stop())),
      await Promise.all(twenty.map(() => start())),
      await Promise.all(twenty.map(() => effects.report({ via: "twilio", id: "SM3" }, reported, "delivered", null))),
      await Promise.all(twenty.map(() => effects.acknowledge({ via: "twilio", id: "SM4" }, id))),
      await Promise.all(twenty.map(() => effects.reply({ via: "twilio", id: "SM5" }, reply))),
    ]
    for (const one of all) expect(counts(one)).toEqual({ done: 1, known: 19 })
    expect(await front.db.query("select from events")).toHaveLength(1)
    expect(front.news.flat().filter(({ kind }) => kind === "counts_changed")).toHaveLength(1)
  })

  test("is not there, and may come again, where its transaction failed", async () => {
    const id = await waiting()
    await front.db.execute("alter table notifications rename to elsewhere")
    await expect(effects.acknowledge({ via: "telegram", id: "7" }, id)).rejects.toThrow()
    await front.db.execute("alter table elsewhere rename to notifications")
    expect(await effects.acknowledge({ via: "telegram", id: "7" }, id)).toBe("done")
  })
})

test.each([
  [
    "an acknowledgement calls off",
    "cancelled",
    "acknowledged",
    (id) => effects.acknowledge({ via: "telegram", id: "8" }, id),
  ],
  ["a STOP stops", "suppressed", "stop", () => stop()],
] as [string, string, string, (id: DeliveryId) => Promise<unknown>][])(
  "what %s is told as an end, once",
  async (_, status, reason, act) => {
    const id = await waiting()
    const before = front.emitted.length
    await act(id)
    await act(id)
    const ends = front.emitted.slice(before).filter(({ kind }) => kind === "delivery_settled")
    expect(ends).toMatchObject([{ deliveryId: id, channel: "sms", status, reason }])
  },
)

describe("a suppressed address", () => {
  test("is left by what waits for it and by what comes after, until it says otherwise", async () => {
    await waiting()
    expect(await stop()).toBe("done")
    expect(await status()).toEqual([["suppressed", "stop"]])
    await front.db.execute("delete from notifications")
    await front.db.execute("delete from deliveries")
    await front.db.execute("delete from messages")
    await waiting()
    expect(await claim()).toMatchObject([{ suppressed: "stop" }])
    await front.db.execute("update deliveries set status = 'queued', owner = null, lease_until = null")
    expect(await start()).toBe("done")
    const [claimed] = await claim()
    expect(claimed?.suppressed).toBeUndefined()
  })

  test("of which one is being sent leaves that one to whoever has it", async () => {
    await waiting()
    expect(await claim()).toHaveLength(1)
    expect(await stop()).toBe("done")
    expect(await status()).toEqual([["sending", null]])
  })

  test("ends what waits in a way that lets the next channel be tried", async () => {
    const id = await waiting()
    await front.db.execute("update deliveries set failover = true")
    await stop()
    const timers = await front.db.query<{ kind: string }>(
      "select kind from timers where id = 'tmr_' || substr($1, 5)",
      [id],
    )
    expect(timers).toEqual([{ kind: "failover" }])
    expect(front.news.at(-1)?.map(({ kind }) => kind)).toEqual(["timers_set"])
  })

  test("that mail came back from is not changed by a START", async () => {
    await front.db.execute(
      `insert into suppressions (address, channel, reason) values (${hashOfAddress("'sms'", "$1")}, 'sms', 'bounced')`,
      [PHONE],
    )
    expect(await start()).toBe("known")
    expect(await front.db.query("select from suppressions")).toHaveLength(1)
  })

  test("cannot be read from the tables", async () => {
    await waiting()
    await stop()
    const [row] = await front.db.query<{ all: string }>(
      "select (select json_agg(s)::text from suppressions s) || (select json_agg(i)::text from inbound_seen i) as all",
    )
    expect(row?.all).not.toContain(PHONE.slice(4))
  })
})

test("an answer that was seen is forgotten after 30 days, and not before", async () => {
  await front.db.execute(
    "insert into inbound_seen (key, seen_at) values ('old', now() - interval '31 days'), ('new', now() - interval '29 days')",
  )
  expect(await sweepSeen(front.db, 10)).toBe(1)
  expect(await front.db.query("select key from inbound_seen")).toEqual([{ key: "new" }])
})

test("whatever order reports come in, the last word of them stays", async () => {
  let n = 0
  await fc.assert(
    fc.asyncProperty(fc.array(fc.constantFrom(...RECEIPTS), { minLength: 1, maxLength: 8 }), async (reports) => {
      const [id] = await seedDeliveries(front.db, [{ channel: "email" }])
      if (id === undefined) throw new Error("nothing was seeded")
      for (const receipt of reports) {
        const by = { via: "resend", id: `r${n++}` } as const
        await effects.report(by, { channels: ["email"], delivery: id, providerMessageId: null }, receipt, null)
      }
      const [row] = await front.db.query<{ receipt: string }>("select receipt from deliveries where id = $1", [id])
      const last = Math.max(...reports.map((receipt) => RECEIPTS.indexOf(receipt)))
      expect(row?.receipt).toBe(RECEIPTS[last] ?? "none")
    }),
    { numRuns: 25 },
  )
})
