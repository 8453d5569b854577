/** `kill -9` of a hub that holds messages of the stream which it cannot store yet: none may count as taken. */

import { eventually } from "../src/testing/eventually.ts"
import { startFaultProxy } from "../src/testing/fault-proxy.ts"
import { producer, publish } from "../src/testing/jetstream-node.ts"
import { startNats } from "../src/testing/nats.ts"
import { fault } from "./fault.ts"
import { inWorld } from "./world.ts"

const AT_ONCE = 20
const IN_HAND_MS = 10_000
const ACK_MS = 2_000
/** A dead hub's messages come again when its time to ack is over (30 s). */
const REDELIVERED_MS = 60_000

export const killWithMessages = fault({
  number: 1,
  name: "kill with messages in hand (JetStream)",
  short: { kills: 1, untilStored: false },
  full: { kills: 10, untilStored: true },
  injected: ({ kills }) => `database silent, ${AT_ONCE} messages in hand, kill -9; × ${kills}`,
  run: ({ kills, untilStored }, mutant) =>
    inWorld({ mutant }, async (world) => {
      const nats = await startNats()
      world.defer(() => nats.stop())
      const sender = await producer(nats.url)
      world.defer(() => sender.close())
      const jsm = await sender.jetstreamManager({ timeout: 10_000 })
      const consumer = () => jsm.consumers.info("HUB_EVENTS", "hub")
      const stored = async () =>
        (await world.db.query("select from events where source = 'stream' and idempotency_key is not null")).length

      let published = 0
      let ackedUnstored = 0
      for (let kill = 0; kill < kills; kill += 1) {
        const proxy = await startFaultProxy({ port: Number(new URL(world.databaseUrl).port) })
        const hub = await world.hub({
          databaseUrl: proxy.through(world.databaseUrl),
          settings: { NATS_URL: nats.url },
          until: "jetstream_up",
        })
        const before = (await consumer()).delivered.consumer_seq
        proxy.treat({ kind: "silent" })
        proxy.freeze()
        for (let n = 0; n < AT_ONCE; n += 1) {
          published += 1
          const key = `held-${published}`
          await publish(sender, "hub.events.faults", {
            type: "held",
            source: "stream",
            idempotency_key: key,
            payload: {},
          })
        }
        await eventually(consumer, ({ delivered }) => delivered.consumer_seq >= before + AT_ONCE, {
          withinMs: IN_HAND_MS,
          what: "messages in hand",
        })
        // An ack that should not be sent has time to arrive, on a busy machine too.
        await eventually(consumer, ({ ack_floor }) => ack_floor.consumer_seq > before, {
          withinMs: ACK_MS,
          what: "acks",
        }).catch(() => undefined)
        hub.signal("SIGKILL")
        await hub.exited
        await proxy.stop()
        const { num_pending, num_ack_pending } = await consumer()
        ackedUnstored += published - num_pending - num_ack_pending - (await stored())
      }
      let lost = 0
      if (untilStored) {
        await world.hub({ settings: { NATS_URL: nats.url } })
        const all = await eventually(stored, (n) => n >= published, { withinMs: REDELIVERED_MS, what: "events" }).catch(
          () => stored(),
        )
        lost = published - all
      }
      return [
        { what: "published", value: published, atLeast: kills * AT_ONCE },
        { what: "acknowledged and not stored", value: ackedUnstored, atMost: 0 },
        ...(untilStored ? [{ what: "lost", value: lost, atMost: 0 }] : []),
      ]
    }),
})
