/** The hub's room of deliveries with a channel that does nothing; its work counts as done when it is settled. */
import type { ChannelWorker } from "../../src/channels/channel.ts"
import { deliveryTree } from "../../src/delivery/tree.ts"
import type { NewDelivery } from "../../src/domain/delivery.ts"
import { DEFAULT_BUSINESS, newDeliveryId, newEventId, newNotificationId, type RuleName } from "../../src/domain/ids.ts"
import { localPubSub } from "../../src/pubsub/pubsub.ts"
import { systemClock } from "../../src/runtime/clock.ts"
import { startTree } from "../../src/runtime/supervisor.ts"
import { openDatabase } from "../../src/store/database.ts"
import { createHandoff } from "../../src/store/handoff.ts"
import { insertDeliveries } from "../../src/store/new-deliveries.ts"
import { PLAIN_DELIVERY } from "../../src/testing/builders.ts"
import { asked, counting, RATE, type Result } from "./counting.ts"

/** As the hub has it for a channel that nothing leaves by. */
const IN_FLIGHT = 2_000
const BATCH = 500

const { url, mode, amount } = asked()
/** Everything goes through the queue, as where a node routes and another sends. */
const queued = process.env["BENCH_QUEUED"] !== undefined
const expected = mode === "backlog" ? amount : amount * RATE
const count = await counting(expected, url)
const db = openDatabase({ url, applicationName: "bench" })
const handoff = createHandoff(systemClock)
const pubsub = localPubSub((error) => {
  throw error
})

const delivery = (number: number): NewDelivery => ({
  ...PLAIN_DELIVERY,
  id: newDeliveryId(Date.now()),
  event: newEventId(Date.now()),
  notifications: [newNotificationId(Date.now())],
  rule: "invoice-overdue" as RuleName, // a literal
  rulesRevision: "bench",
  business: DEFAULT_BUSINESS,
  channel: "telegram",
  priority: "normal",
  addressKey: String(number),
  start: { status: "queued", message: message(number) },
})
const message = (number: number) =>
  ({
    channel: "telegram",
    chatId: String(number),
    html: "Invoice INV-1 is overdue: it was due a week ago.",
    actionUrl: null,
    actionLabel: null,
  }) as const

/** As the router does: a dispatcher that has room takes it with the commit, otherwise it is claimed from the queue. */
const add = async (numbers: readonly number[], committed?: () => void): Promise<void> => {
  const handing = queued ? null : handoff.begin()
  const deliveries = numbers.map(delivery)
  await insertDeliveries(db, deliveries, handing)
  committed?.()
  await handing?.committed(db)
  if (handing === null || deliveries.some((one) => handing.placeOf(one) === null))
    pubsub.publish([{ kind: "deliveries_due", channels: ["telegram"] }])
}
if (mode === "backlog")
  for (let first = 0; first < amount; first += BATCH)
    await add(Array.from({ length: Math.min(BATCH, amount - first) }, (_, i) => first + i))

const worker: ChannelWorker = {
  channel: "telegram",
  async send({ message }) {
    if (message.channel === "telegram") count.called(Number(message.chatId))
    return { kind: "delivered", providerMessageId: null }
  },
}
let settled = 0
const { promise: allSettled, resolve } = Promise.withResolvers<number>()
const telemetry = {
  emit({ kind }: { readonly kind: string }) {
    if (kind === "delivery_settled" && ++settled === expected) resolve(performance.now())
    if (kind === "bug_found") throw new Error("a bug was found")
  },
}
const tree = await startTree(
  deliveryTree({ db, workers: [worker], pubsub, telemetry, clock: systemClock, handoff, inFlightOf: () => IN_FLIGHT }),
  {
    clock: systemClock,
    emit: () => undefined,
    onGiveUp: (reason) => {
      throw new Error(`the tree gave up: ${JSON.stringify(reason)}`)
    },
  },
)
const latencies = mode === "paced" ? await count.paced(amount, add) : []
const { first } = await count.all
const ms = (await allSettled) - first
console.log(JSON.stringify({ ms, latencies, cpu: count.cpu() } satisfies Result))
await tree.stop()
await db.close()
