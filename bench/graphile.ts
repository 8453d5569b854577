/** The rival of bench/path.ts, a process of its own: graphile-worker works off trivial jobs; prints the milliseconds. */
import { Logger, makeWorkerUtils, run } from "graphile-worker"

const BATCH = 500
const CONCURRENCY = 10

/** Adds the jobs, then works them off: from the first job's start to the last one's end, in milliseconds. */
async function workOff(connectionString: string, jobs: number): Promise<number> {
  const logger = new Logger(() => () => undefined)
  const utils = await makeWorkerUtils({ connectionString, logger })
  await utils.migrate()
  for (let first = 0; first < jobs; first += BATCH) {
    const batch = Array.from({ length: Math.min(BATCH, jobs - first) }, (_, i) => ({
      identifier: "trivial",
      payload: { number: first + i, amount: 1_250, user_id: `person-${i % 100}` },
    }))
    await utils.addJobs(batch)
  }
  await utils.release()
  let began: number | null = null
  let done = 0
  const { promise, resolve } = Promise.withResolvers<number>()
  const trivial = async (): Promise<void> => {
    began ??= performance.now()
    done += 1
    if (done === jobs) resolve(performance.now() - began)
  }
  const runner = await run({
    connectionString,
    logger,
    concurrency: CONCURRENCY,
    noHandleSignals: true,
    taskList: { trivial },
  })
  const ms = await promise
  await runner.stop()
  return ms
}

const [url = "", jobs = ""] = process.argv.slice(2)
console.log(await workOff(url, Number(jobs)))
