/** Two nodes take messages of the same places at the same time, and screens on both see each place's in one order, all of them. */
import { Socket } from "phoenix"
import { SERVICE_KEY, tokenFor } from "../src/testing/front.ts"
import type { HubProcess } from "../src/testing/hub-process.ts"
import { startNats } from "../src/testing/nats.ts"
import { fault } from "./fault.ts"
import { broken, endings, inWorld, PATIENT_MS, untilTaken } from "./world.ts"

/** Messages in one list. */
const LIST = 20
const AT_ONCE = 8
const SEEN_MS = 60_000

export const ordering = fault({
  number: 34,
  name: "ordering",
  short: { messages: 1_000, places: 10 },
  full: { messages: 50_000, places: 50 },
  injected: ({ messages, places }) =>
    `${messages} messages of ${places} places, brought to 2 nodes at once, screens on both`,
  run: ({ messages, places }, mutant) =>
    inWorld({ mutant }, async (world) => {
      const nats = await startNats()
      world.defer(() => nats.stop())
      const start = () => world.hub({ settings: { NATS_URL: nats.url } })
      const hubs = await Promise.all([start(), start()])
      const screens = await Promise.all(hubs.map((hub) => watch(hub, places)))
      for (const screen of screens) world.defer(() => screen.leave())

      let next = 0
      let refused = 0
      let shed = 0
      const bring = async (): Promise<void> => {
        while (next < messages) {
          const from = next
          next += LIST
          const list = Array.from({ length: Math.min(LIST, messages - from) }, (_, n) => message(from + n, places))
          const { port } = hubs[(from / LIST) % hubs.length] ?? hubs[0]
          const answer = await untilTaken(
            () => post(port, list),
            () => {
              shed += 1
            },
          )
          if (!answer.ok) refused += 1
          await answer.text()
        }
      }
      await Promise.all(Array.from({ length: AT_ONCE }, bring))
      const seen = (): number => Math.min(...screens.map(({ offsets }) => count(offsets)))
      const until = performance.now() + SEEN_MS
      while (seen() < messages && performance.now() < until) await Bun.sleep(20)

      const lists = screens.flatMap(({ offsets }) => [...offsets.values()])
      const overtaken = lists.reduce(
        (sum, list) => sum + list.filter((at, n) => n > 0 && at <= (list[n - 1] ?? 0)).length,
        0,
      )
      const gaps = lists.reduce(
        (sum, list) => sum + list.filter((at, n) => n > 0 && at > (list[n - 1] ?? 0) + 1).length,
        0,
      )
      const differing = [...(screens[0]?.ids ?? [])].filter(
        ([place, ids]) => ids.join() !== screens[1]?.ids.get(place)?.join(),
      )
      return [
        { what: "seen on each", value: seen(), atLeast: messages, atMost: messages },
        { what: "overtaken", value: overtaken, atMost: 0 },
        { what: "gaps", value: gaps, atMost: 0 },
        { what: "places in another order on the other", value: differing.length, atMost: 0 },
        { what: "refused", value: refused, atMost: 0 },
        { what: "asked again after 503", value: shed },
        ...hubs.map(broken),
        await endings(world, hubs),
      ]
    }),
})

const count = (offsets: ReadonlyMap<string, readonly number[]>): number =>
  [...offsets.values()].reduce((sum, list) => sum + list.length, 0)

const message = (n: number, places: number) => ({
  type: "resource_updated",
  resourceType: "reservation",
  businessId: "b1",
  locationId: `l${n % places}`,
  resourceId: `r${n}`,
  shardId: "s1",
  timestamp: new Date(Date.UTC(2026, 0, 1) + n).toISOString(),
})

const post = (port: number, list: readonly unknown[]): Promise<Response> =>
  fetch(`http://127.0.0.1:${port}/api/notifications`, {
    method: "POST",
    headers: { authorization: `Bearer ${SERVICE_KEY}`, "content-type": "application/json" },
    body: JSON.stringify(list),
    signal: AbortSignal.timeout(PATIENT_MS),
  })

interface Screen {
  /** What came of each place, in the order in which it came. */
  readonly offsets: ReadonlyMap<string, readonly number[]>
  readonly ids: ReadonlyMap<string, readonly string[]>
  leave(): void
}

async function watch(hub: HubProcess, places: number): Promise<Screen> {
  const token = await tokenFor({ sub: "u1", tenants: [{ business: "b1" }] })
  const socket = new Socket(`ws://127.0.0.1:${hub.port}/socket`, { params: { token }, transport: WebSocket })
  socket.connect()
  const offsets = new Map<string, number[]>()
  const ids = new Map<string, string[]>()
  await Promise.all(
    Array.from({ length: places }, (_, n) => {
      const place = `l${n}`
      const [at, of]: [number[], string[]] = [[], []]
      offsets.set(place, at)
      ids.set(place, of)
      const channel = socket.channel(`resources:b1-${place}`)
      channel.on("resource_update", (came: { resourceId: string; _offset: number }) => {
        at.push(came._offset)
        of.push(came.resourceId)
      })
      return new Promise((resolve, reject) => {
        channel.join().receive("ok", resolve).receive("error", reject).receive("timeout", reject)
      })
    }),
  )
  return { offsets, ids, leave: () => socket.disconnect() }
}
