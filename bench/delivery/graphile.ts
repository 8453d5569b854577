/** graphile-worker at its best settings: a local queue, and completions in batches (its documentation, "batching"). */
import { Logger, makeWorkerUtils, run } from "graphile-worker"
import { asked, counting, RATE, type Result } from "./counting.ts"

const CONCURRENCY = 24
const LOCAL_QUEUE = 500
const BATCH = 500

const { url, mode, amount } = asked()
const expected = mode === "backlog" ? amount : amount * RATE
const count = await counting(expected, url)
const logger = new Logger(() => () => undefined)
const utils = await makeWorkerUtils({ connectionString: url, logger })
await utils.migrate()

const add = async (numbers: readonly number[], committed?: () => void): Promise<void> => {
  await utils.addJobs(numbers.map((number) => ({ identifier: "trivial", payload: { number, words: WORDS } })))
  committed?.()
}
const WORDS = "Invoice INV-1 is overdue: it was due a week ago."

if (mode === "backlog")
  for (let first = 0; first < amount; first += BATCH)
    await add(Array.from({ length: Math.min(BATCH, amount - first) }, (_, i) => first + i))

const runner = await run({
  logger,
  noHandleSignals: true,
  preset: {
    worker: {
      connectionString: url,
      concurrentJobs: CONCURRENCY,
      maxPoolSize: CONCURRENCY + 2,
      localQueue: { size: LOCAL_QUEUE },
      completeJobBatchDelay: 0,
      failJobBatchDelay: 0,
    },
  },
  taskList: {
    async trivial(payload) {
      count.called((payload as { number: number }).number) // as `add` made it
    },
  },
})
const latencies = mode === "paced" ? await count.paced(amount, add) : []
const { first, last } = await count.all
console.log(JSON.stringify({ ms: last - first, latencies, cpu: count.cpu() } satisfies Result))
await runner.stop()
await utils.release()
