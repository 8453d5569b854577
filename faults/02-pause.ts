/** A node that is stopped for longer than its lease, and goes on as if nothing had been: what it had in hand is others' by then. */
import { join } from "node:path"
import { eventually } from "../src/testing/eventually.ts"
import type { HubProcess } from "../src/testing/hub-process.ts"
import { fault } from "./fault.ts"
import { broken, endings, inWorld } from "./world.ts"

/** Sends that one hub has in flight on one channel (delivery's default). */
const IN_FLIGHT = 32
/** A provider that takes its time, so that something is always in hand. */
const ANSWER_MS = 150
/** Longer than a lease by a look of the other node's rescuer, so that what is taken over is taken over meanwhile. */
const LONGER_MS = 3_000
/** On a machine that has much else to do; longer, and what was taken over would be given up for want of an answer. */
const FINDS_OUT_MS = 3_000

export const pauses = fault({
  number: 2,
  name: "pause past lease",
  short: { pauses: 1, leaseMs: 1_500, perSecond: 60 },
  full: { pauses: 20, leaseMs: 4_000, perSecond: 150 },
  injected: ({ pauses, leaseMs, perSecond }) =>
    `SIGSTOP of one of 2 nodes for ${(leaseMs + LONGER_MS) / 1_000} s, their lease being ${leaseMs / 1_000} s, × ${pauses} in turn, ${perSecond} events/s`,
  run: ({ pauses, leaseMs, perSecond }, mutant) =>
    inWorld({ mutant }, async (world) => {
      const { providers, db } = world
      let held: PromiseWithResolvers<void> | null = null
      const seen = new Set<string>()
      let again = Promise.withResolvers<void>()
      world.defer(() => again.resolve())
      // Whoever takes something over has it in hand still when the other one wakes and speaks of it.
      providers.always("telegram", ({ text }) => {
        if (seen.has(text)) return { kind: "wait", released: again.promise }
        seen.add(text)
        return { kind: "wait", released: held?.promise ?? Bun.sleep(ANSWER_MS) }
      })
      /** More is being sent than one node may, so both have something in hand. */
      const untilBoth = async (): Promise<() => void> => {
        const { promise, resolve, reject } = Promise.withResolvers<void>()
        held = { promise, resolve, reject }
        await providers.waitFor(providers.calls.length + IN_FLIGHT + 1, "telegram")
        return () => {
          held = null
          resolve()
        }
      }
      const settings = { PACE_LEASE_MS: String(leaseMs) }
      const preloads = [join(import.meta.dirname, "pace.ts")]
      const [first, second] = await Promise.all([world.hub({ settings, preloads }), world.hub({ settings, preloads })])
      const hubs = [first, second]
      let asked = 0
      const load = world.load({ perSecond, url: () => `http://127.0.0.1:${hubs[asked++ % 2]?.port}` })
      await load.more(perSecond)
      const takenOver = async (): Promise<number> => {
        const [row] = await db.query<{ n: number }>("select count(*)::int as n from attempts where outcome = 'lost'")
        return row?.n ?? 0
      }
      /** Whoever lost something has said so. */
      const foundOut = async (): Promise<unknown> => {
        const taken = await takenOver()
        const said = (): Promise<number> => Promise.resolve(lostBy(first) + lostBy(second))
        return eventually(said, (n) => n >= taken, { withinMs: FINDS_OUT_MS, what: "losses found out" }).catch(
          () => null,
        )
      }
      let wrongly = 0
      for (let n = 0; n < pauses; n += 1) {
        const { pid } = hubs[n % 2] ?? first
        const other = hubs[(n + 1) % 2] ?? second
        const lostBefore = lostBy(other)
        const answer = await untilBoth()
        process.kill(pid, "SIGSTOP")
        answer()
        await Bun.sleep(leaseMs + LONGER_MS) // how long it is stopped is what is tried
        process.kill(pid, "SIGCONT")
        await load.more(perSecond / 2)
        // Not the next one's before this one has found out what it lost.
        await foundOut()
        again.resolve()
        again = Promise.withResolvers<void>()
        await load.more(perSecond / 2)
        wrongly += lostBy(other) - lostBefore
      }
      again.resolve()
      const figures = await world.judged(load, { again: pauses * IN_FLIGHT })
      return [
        { what: "taken over", value: await takenOver(), atLeast: pauses },
        { what: "lost by who was not stopped", value: wrongly, atMost: 0 },
        ...figures,
        ...hubs.map(broken),
        await endings(world, hubs),
      ]
    }),
})

/** How often it has said that what it held was somebody else's. */
const lostBy = (hub: HubProcess): number => hub.log().split('"event":"lease_lost"').length - 1
