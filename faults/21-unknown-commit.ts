/** The connection breaks at the commit of an event: nobody but the database knows whether it was made. */

import { check } from "../src/testing/checker.ts"
import { commitCutter } from "../src/testing/commit-cutter.ts"
import { startFaultProxy } from "../src/testing/fault-proxy.ts"
import { SERVICE_KEY } from "../src/testing/front.ts"
import { marginCall } from "../src/testing/margin-call.ts"
import { fault } from "./fault.ts"
import { broken, endings, inWorld } from "./world.ts"

const RETRY_MS = 50
const DEADLINE_MS = 12_000

export const unknownCommit = fault({
  number: 21,
  name: "unknown commit",
  short: { cuts: 40 },
  full: { cuts: 200 },
  injected: ({ cuts }) => `connection cut × ${cuts}: half in place of the event's commit, half before its answer`,
  run: ({ cuts }, mutant) =>
    inWorld({ mutant }, async (world) => {
      const cutter = commitCutter(/insert into events\b/)
      const proxy = await startFaultProxy({ port: Number(new URL(world.databaseUrl).port), gate: cutter.gate })
      world.defer(() => proxy.stop())
      const hub = await world.hub({ databaseUrl: proxy.through(world.databaseUrl) })
      const ids = new Map<string, string>()
      let refused = 0
      let slowest = 0

      /** One request; the id, or null where the producer has to repeat it. */
      const send = async (n: number): Promise<string | null> => {
        const began = performance.now()
        try {
          const answer = await fetch(`http://127.0.0.1:${hub.port}/v1/events`, {
            method: "POST",
            headers: { authorization: `Bearer ${SERVICE_KEY}`, "content-type": "application/json" },
            body: JSON.stringify({ ...marginCall(n), idempotency_key: `acc-${n}.` }),
            signal: AbortSignal.timeout(DEADLINE_MS),
          })
          const text = await answer.text()
          if (answer.ok) return (JSON.parse(text) as { id: string }).id // contract §5.1
          if (answer.status !== 503) refused += 1
        } catch {
          refused += 1 // the hub itself is never away
        } finally {
          slowest = Math.max(slowest, performance.now() - began)
        }
        return null
      }

      for (let n = 0; n < cuts; n += 1) {
        const cut = cutter.cutNext(n % 2 === 0 ? "before" : "after")
        for (let id: string | null = null; id === null; ) {
          id = await send(n)
          if (id === null) await Bun.sleep(RETRY_MS)
          else ids.set(`acc-${n}.`, id)
        }
        await cut
      }
      const { lost, twice, torn } = await check(world.db, { acked: ids })
      let changed = 0
      for (let n = 0; n < cuts; n += 1) if ((await send(n)) !== ids.get(`acc-${n}.`)) changed += 1
      return [
        { what: "cuts", value: cuts },
        { what: "lost", value: lost.length, atMost: 0 },
        { what: "stored twice", value: twice.length, atMost: 0 },
        { what: "torn", value: torn.length, atMost: 0 },
        { what: "another id for the same key", value: changed, atMost: 0 },
        { what: "answers other than 2xx and 503", value: refused, atMost: 0 },
        { what: "slowest answer", value: slowest, unit: "ms", atMost: DEADLINE_MS },
        broken(hub),
        await endings(world, [hub]),
      ]
    }),
})
