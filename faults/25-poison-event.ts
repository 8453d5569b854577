/** An event that ends the process of whoever routes it, among others that are well. */
import { join } from "node:path"
import { insertEvents } from "../src/store/events.ts"
import { upsertRecipients } from "../src/store/recipients.ts"
import { business, incoming, recipient } from "../src/testing/builders.ts"
import { eventually } from "../src/testing/eventually.ts"
import type { HubProcess } from "../src/testing/hub-process.ts"
import { accountIn, marginCall, TRADER } from "../src/testing/margin-call.ts"
import { fault } from "./fault.ts"
import { drained, endings, inWorld } from "./world.ts"

const LEASE_MS = 1_000
/** The first takes the whole batch along, the two after it only what was in hand alone. */
const CRASHES = 3
/** More than it may take. */
const MOST_STARTS = 40
const HEALTHY_MS = 60_000

const call = (n: number, changes: { readonly poison?: true } = {}) => {
  const { payload, type } = marginCall(n)
  return incoming({
    type,
    severity: "high",
    source: "risk",
    business: business("desk"),
    payload: { ...payload, ...changes },
  })
}

export const poisonEvent = fault({
  number: 25,
  name: "poison event",
  short: { nodes: 1, poison: 1, good: 4 },
  full: { nodes: 2, poison: 3, good: 2_000 },
  injected: ({ nodes, poison, good }) =>
    `${poison} event${poison === 1 ? " that ends" : "s that end"} the process whenever it is routed, among ${good} that are well, ${nodes} node${nodes === 1 ? "" : "s"}`,
  run: ({ nodes, poison, good }, mutant) =>
    inWorld({ mutant }, async (world) => {
      const { db, providers } = world
      const memberships = [{ business: business("desk"), locations: null, roles: [] }]
      await upsertRecipients(db, [recipient(TRADER, { telegramChatId: "991", memberships })], null)
      const wells = Array.from({ length: good }, (_, n) => call(n))
      const ills = Array.from({ length: poison }, (_, n) => call(good + n, { poison: true }))
      const middle = Math.floor(good / 2)
      await insertEvents(db, [...wells.slice(0, middle), ...ills, ...wells.slice(middle)], Date.now())
      const start = () =>
        world.hub({
          until: "rules_loaded",
          preloads: ["poisoned-event.ts", "pace.ts"].map((file) => join(import.meta.dirname, file)),
          settings: { PACE_LEASE_MS: String(LEASE_MS) },
        })
      const queued = async (): Promise<number> => (await db.query("select from routing_queue")).length
      let crashes = 0
      const alive = new Set<HubProcess>()
      const add = async (): Promise<void> => {
        const hub = await start()
        alive.add(hub)
        void hub.exited.then(() => alive.delete(hub))
      }
      while (alive.size < nodes) await add()
      for (; crashes < MOST_STARTS; crashes += 1) {
        const left = await eventually(queued, (n) => n === 0 || alive.size < nodes, {
          withinMs: HEALTHY_MS,
          what: "what is not routed",
        })
        if (left === 0 && alive.size === nodes) break
        await add()
      }
      await drained(db)
      const sent = new Set(providers.callsOf("telegram").map(({ text }) => accountIn(text)))
      const failed = await db.query<{ event_id: string }>("select event_id from routes where failed")
      const again = providers.callsOf("telegram").length - sent.size
      return [
        { what: "crashes", value: crashes, atLeast: CRASHES, atMost: CRASHES * poison },
        { what: "given up", value: failed.length, atLeast: poison, atMost: poison },
        { what: "good ones not sent", value: good - sent.size, atMost: 0 },
        { what: "sent again", value: again, atMost: CRASHES * poison * 32 },
        { what: "left in the queue", value: await queued(), atMost: 0 },
        await endings(world, [...alive]),
      ]
    }),
})
