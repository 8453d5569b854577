import { expect, test } from "bun:test"
import { DEFAULT_RETRY } from "../domain/delivery.ts"
import { localPubSub, type News } from "../pubsub/pubsub.ts"
import { startTree, supervisor } from "../runtime/supervisor.ts"
import type { Database } from "../store/database.ts"
import { fakeClock } from "../testing/fake-clock.ts"
import { heard } from "../testing/heard.ts"
import { rescuer } from "./rescuer.ts"

const nothing = () => Promise.reject(new Error("the rescuer only queries"))
const lost = (count: number, status = "retrying") =>
  Array.from({ length: count }, (_, n) => ({
    id: `dlv_${n}`,
    channel: "sms",
    status,
    reason: "lost",
    attempt: 1,
  }))

/** A rescuer over a database that answers so, one answer a look; then with nothing. */
async function started(answers: (readonly unknown[] | Error)[]) {
  const clock = fakeClock()
  const telemetry = heard()
  const news: News[] = []
  let looks = 0
  const db: Database = {
    query: () => {
      looks += 1
      const answer = answers.shift() ?? []
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer as never) // as the store's query names it
    },
    execute: nothing,
    transaction: nothing,
    replacePool: nothing,
    close: nothing,
    reopen() {},
  }
  const pubsub = localPubSub(() => undefined)
  pubsub.subscribe((some) => news.push(...some))
  const child = rescuer({ db, pubsub, telemetry, random: () => 0.5, policyOf: () => DEFAULT_RETRY })
  const tree = await startTree(supervisor({ id: "root", strategy: "one_for_one", children: [child] }), {
    clock,
    emit: () => undefined,
    onGiveUp: () => undefined,
  })
  await clock.flush()
  return { clock, telemetry, news, tree, looks: () => looks }
}

test("the rescuer looks at its start and every two seconds, and wakes the channels of what it found", async () => {
  const { clock, telemetry, news, tree, looks } = await started([[], lost(3)])
  expect(looks()).toBe(1)
  expect(news).toEqual([])
  await clock.advance(2_000)
  expect(looks()).toBe(2)
  expect(telemetry.of("deliveries_rescued")).toEqual([
    { kind: "deliveries_rescued", count: 3, deliveryIds: ["dlv_0", "dlv_1", "dlv_2"] },
  ])
  expect(news).toEqual([{ kind: "deliveries_due", channels: ["sms"] }])
  await clock.advance(2_000)
  expect(looks()).toBe(3)
  await tree.stop()
  expect(clock.pending).toBe(0)
})

test("the rescuer looks again at once while there is more than one batch", async () => {
  const { tree, looks } = await started([lost(500), lost(500), lost(1)])
  expect(looks()).toBe(3)
  await tree.stop()
})

test("the rescuer waits out a database that is away, without a restart", async () => {
  const away = Object.assign(new Error("Connection terminated"), { code: "ECONNRESET" })
  const { clock, tree, looks } = await started([away, lost(1)])
  expect(looks()).toBe(1)
  await clock.advance(2_000)
  expect(looks()).toBe(2)
  expect(tree.whereis("rescuer")).toMatchObject({ restarts: 0 })
  await tree.stop()
})

test("a rescuer that crashes whenever it looks rests between its tries, and brings nobody down with it", async () => {
  const bug = () => Object.assign(new Error("a bug"), { code: "42703", severity: "ERROR" })
  const { clock, tree, looks, news } = await started([...Array.from({ length: 12 }, bug), lost(1)])
  await clock.advance(400_000)
  expect(tree.snapshot().root).toMatchObject({ state: "running" })
  expect(tree.whereis("rescuer")).toMatchObject({ state: "running", restarts: 12 })
  expect(looks()).toBeGreaterThan(13)
  expect(news).toHaveLength(1)
  await tree.stop()
})

test("what it ends, dead or unknown, is told as every end is, and what is tried again is not", async () => {
  const { telemetry, tree } = await started([[...lost(1), ...lost(2, "dead").slice(1), ...lost(3, "unknown").slice(2)]])
  expect(telemetry.of("delivery_settled").map(({ deliveryId, status }) => [deliveryId, status])).toEqual([
    ["dlv_1", "dead"],
    ["dlv_2", "unknown"],
  ])
  await tree.stop()
})
