/** All screens lose their sockets, again and again, and nodes are killed, while messages come: nobody may miss one. */
import { ADMIN_KEY, tokenFor } from "../src/testing/front.ts"
import type { HubProcess } from "../src/testing/hub-process.ts"
import { startNats } from "../src/testing/nats.ts"
import { fault } from "./fault.ts"
import { backP99, caughtUp, leave, lost, owed, placeTopic, Screen, startTeller } from "./screens.ts"
import { broken, inWorld, type World } from "./world.ts"

const PERSON = "screen-1"

export const recoveryStorm = fault({
  number: 37,
  name: "recovery storm",
  short: { sockets: 60, places: 10, perSecond: 100, kicks: 2, kills: 1, betweenMs: 300 },
  full: { sockets: 500, places: 50, perSecond: 200, kicks: 20, kills: 2, betweenMs: 3_000 },
  injected: ({ sockets, places, perSecond, kicks, kills }) =>
    `${sockets} sockets closed × ${kicks}, one of 2 nodes killed × ${kills}, ${perSecond} messages/s to ${places} topics`,
  run: ({ sockets, places, perSecond, kicks, kills, betweenMs }, mutant) =>
    inWorld({ mutant }, async (world) => {
      const nats = await startNats()
      world.defer(() => nats.stop())
      const start = (port?: number): Promise<HubProcess> =>
        world.hub({ settings: { NATS_URL: nats.url }, ...(port === undefined ? {} : { port }) })
      const hubs = await Promise.all([start(), start()])
      const ready = new Set(hubs.map(({ port }) => port))
      let asked = 0
      const some = (): number => {
        asked += 1
        return [...ready][asked % ready.size] ?? 0
      }
      const tokens = await Promise.all(
        Array.from({ length: places }, (_, n) =>
          tokenFor({ sub: PERSON, tenants: [{ business: `b${n}`, locations: ["l1"] }] }),
        ),
      )
      const screens = Array.from({ length: sockets }, (_, n) => {
        const place = n % places
        return new Screen({
          url: () => `ws://127.0.0.1:${some()}`,
          token: tokens[place] ?? "",
          topic: placeTopic(place),
        })
      })
      world.defer(() => leave(screens))
      const all = () => Promise.all(screens.map((screen) => screen.joined()))
      await all()
      const teller = startTeller({ perSecond, places, url: () => `http://127.0.0.1:${some()}` })
      const killsAfter = new Set(Array.from({ length: kills }, (_, n) => Math.floor(((n + 1) * kicks) / (kills + 1))))
      const joinsBefore = await readings(world)
      let killed = 0
      for (let n = 0; n < kicks; n += 1) {
        await Bun.sleep(betweenMs)
        const gone = lost(screens)
        await kick(some())
        await gone
        await all()
        const hub = hubs[killed % 2]
        if (!killsAfter.has(n) || hub === undefined) continue
        ready.delete(hub.port)
        hub.signal("SIGKILL")
        await hub.exited
        await all()
        hubs[killed % 2] = await start(hub.port)
        ready.add(hub.port)
        killed += 1
      }
      await Bun.sleep(betweenMs)
      await teller.stop()
      const heads = await headsOf(world)
      await caughtUp(screens, heads)
      const told = [...heads.values()].reduce((sum, head) => sum + head, 0)
      const back = screens.reduce((sum, { seen }) => sum + seen.backMs.length, 0)
      leave(screens)
      const parts = hubs.map(broken)
      // PostgreSQL counts for a connection when it ends.
      const ended = await Promise.all(hubs.map((hub) => world.end(hub)))
      const reads = (await readings(world)) - joinsBefore
      return [
        { what: "messages", value: teller.taken, atLeast: places },
        { what: "messages lost", value: teller.taken - told, atMost: 0, atLeast: 0 },
        { what: "came back", value: back, atLeast: sockets * kicks },
        ...owed(screens, heads),
        backP99(screens, 5_000),
        { what: "readings of the history", value: reads },
        { what: "readings for each that came back", value: reads / back, atMost: 1 },
        ...parts,
        { what: "hubs that did not end well", value: ended.filter((well) => !well).length, atMost: 0 },
      ]
    }),
})

/** Closes all sockets of the screens' one person, on every node. */
export async function kick(port: number): Promise<void> {
  const answer = await fetch(`http://127.0.0.1:${port}/admin/sockets/kick`, {
    method: "POST",
    headers: { authorization: `Bearer ${ADMIN_KEY}`, "content-type": "application/json" },
    body: JSON.stringify({ recipient_id: PERSON }),
  })
  if (answer.status !== 202) throw new Error(`a kick was answered ${answer.status}`)
  await answer.text()
}

/** How far the places' streams go, by topic. */
export async function headsOf({ db }: Pick<World, "db">): Promise<ReadonlyMap<string, number>> {
  const rows = await db.query<{ key: string; position: number }>(
    "select key, position::int as position from streams where key like 'resources:%:%'",
  )
  return new Map(rows.map(({ key, position }) => [key, position]))
}

/** How often anybody has looked into the history, as PostgreSQL counts it. */
async function readings({ db }: World): Promise<number> {
  await db.query("select pg_stat_clear_snapshot()")
  const [row] = await db.query<{ n: number }>(
    "select idx_scan::int as n from pg_stat_user_indexes where indexrelname = 'stream_entries_pkey'",
  )
  return row?.n ?? 0
}
