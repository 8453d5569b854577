/** pg-boss at its best settings: large batches in two loops that go on while batches are full, woken by NOTIFY. */
import { PgBoss } from "pg-boss"
import { asked, counting, RATE, type Result } from "./counting.ts"

const QUEUE = "trivial"
const LOOPS = 2
const BATCH = 1_000

const { url, mode, amount } = asked()
const expected = mode === "backlog" ? amount : amount * RATE
const count = await counting(expected, url)
const boss = new PgBoss({ connectionString: url, useListenNotify: true, supervise: false, schedule: false, max: 10 })
boss.on("error", (error: unknown) => console.error(error))
await boss.start()
await boss.createQueue(QUEUE, { notify: true })

const WORDS = "Invoice INV-1 is overdue: it was due a week ago."
const add = async (numbers: readonly number[], committed?: () => void): Promise<void> => {
  await boss.insert(
    QUEUE,
    numbers.map((number) => ({ data: { number, words: WORDS } })),
  )
  committed?.()
}
if (mode === "backlog")
  for (let first = 0; first < amount; first += BATCH)
    await add(Array.from({ length: Math.min(BATCH, amount - first) }, (_, i) => first + i))

const options = { batchSize: BATCH, localConcurrency: LOOPS, pollingIntervalSeconds: 0.5, burstWhenBatchFull: true }
await boss.work<{ number: number }>(QUEUE, options, async (jobs) => {
  for (const { data } of jobs) count.called(data.number)
})
const latencies = mode === "paced" ? await count.paced(amount, add) : []
const { first, last } = await count.all
console.log(JSON.stringify({ ms: last - first, latencies, cpu: count.cpu() } satisfies Result))
await boss.stop({ graceful: true })
