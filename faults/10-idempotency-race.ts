/** Many producers with one key at the same moment on two nodes, and what a key means with another body, for another tenant, after retention. */
import { SERVICE_KEY } from "../src/testing/front.ts"
import { fault } from "./fault.ts"
import { broken, endings, inWorld, untilTaken } from "./world.ts"

const REPEATS = 50
const KEYS_AT_ONCE = 5

interface Answered {
  readonly status: number
  readonly id: string | null
}

export const idempotencyRace = fault({
  number: 10,
  name: "idempotency race",
  short: { keys: 60 },
  full: { keys: 500 },
  injected: ({ keys }) => `${keys} keys × ${REPEATS} at once on 2 nodes; other body; other tenant; after retention`,
  run: ({ keys }, mutant) =>
    inWorld({ mutant }, async (world) => {
      const hubs = [await world.hub(), await world.hub()]
      let n = 0
      let shed = 0
      let serverErrors = 0
      const post = async (key: string, amount: number, business: string): Promise<Answered> => {
        n += 1
        const ask = () =>
          fetch(`http://127.0.0.1:${hubs[n % 2]?.port}/v1/events`, {
            method: "POST",
            headers: { authorization: `Bearer ${SERVICE_KEY}`, "content-type": "application/json" },
            body: JSON.stringify({
              type: "race.tried",
              source: "racer",
              business_id: business,
              idempotency_key: key,
              payload: { amount },
            }),
            signal: AbortSignal.timeout(30_000),
          })
        const answer = await untilTaken(ask, () => {
          shed += 1
        })
        const text = await answer.text()
        if (answer.status >= 500) serverErrors += 1
        return { status: answer.status, id: answer.ok ? (JSON.parse(text) as { id: string }).id : null } // contract §5.1
      }
      const ids = new Map<string, string | null>()
      let wrongFirsts = 0
      let wrongIds = 0
      let otherBody = 0
      let otherTenant = 0
      const race = async (key: string): Promise<void> => {
        const racers = Array.from({ length: REPEATS }, () => post(key, 1, "b1"))
        const found = await Promise.all(racers)
        if (found.filter(({ status }) => status === 201).length !== 1) wrongFirsts += 1
        if (new Set(found.map(({ id }) => id)).size !== 1) wrongIds += 1
        const id = found[0]?.id ?? null
        ids.set(key, id)
        for (const { status } of [await post(key, 2, "b1"), await post(key, 2, "b1")])
          if (status === 422) otherBody += 1
        const tenant = await post(key, 2, "b2")
        if (tenant.status === 201 && tenant.id !== id) otherTenant += 1
      }
      for (let from = 0; from < keys; from += KEYS_AT_ONCE) {
        const some = Math.min(KEYS_AT_ONCE, keys - from)
        await Promise.all(Array.from({ length: some }, (_, i) => race(`race-${from + i}`)))
      }
      const [stored] = await world.db.query<{ events: number; most: number }>(
        `select coalesce(sum(n), 0)::int as events, coalesce(max(n), 0)::int as most
         from (select count(*) as n from events where business_id = 'b1' group by idempotency_key) of_keys`,
      )
      // What retention does to a key: its event is gone, and so is what was remembered of it.
      await world.db.execute("delete from routing_queue")
      await world.db.execute("delete from events where business_id = 'b1'")
      let anew = 0
      for (const [key, id] of ids) {
        const again = await post(key, 3, "b1")
        if (again.status === 201 && again.id !== id) anew += 1
      }
      return [
        { what: "events", value: stored?.events ?? 0, atLeast: keys, atMost: keys },
        { what: "events of one key", value: stored?.most ?? 0, atMost: 1 },
        { what: "keys without exactly one 201", value: wrongFirsts, atMost: 0 },
        { what: "keys with several ids", value: wrongIds, atMost: 0 },
        { what: "other body: 422", value: otherBody, atLeast: 2 * keys },
        { what: "other tenant: its own event", value: otherTenant, atLeast: keys },
        { what: "after retention: a new event", value: anew, atLeast: keys },
        { what: "503", value: shed },
        { what: "other 5xx", value: serverErrors, atMost: 0 },
        ...hubs.map(broken),
        await endings(world, hubs),
      ]
    }),
})
