/** What hub and rivals do alike in their processes: count the work, time what is commanded at a steady rate, and what it costs. */
import { readdirSync, readFileSync } from "node:fs"
import { Client } from "pg"

/** The only line that the parent reads. */
export interface Result {
  /** From the first call to the last piece of work that is done, where a backlog was worked off. */
  readonly ms: number
  /** From the commit to the call, where work came at a steady rate. */
  readonly latencies: readonly number[]
  /** Processor time meanwhile, of this process and of the server's, in microseconds. */
  readonly cpu: Cpu
}

export interface Cpu {
  readonly process: number
  readonly server: number
}

export interface Counting {
  /** Of every call. `number` counts from 0 and says which it was. */
  called(number: number): void
  /** Resolves with the first and the last call's moment when all were called. */
  readonly all: Promise<{ readonly first: number; readonly last: number }>
  /** Since the first call. */
  cpu(): Cpu
  /** Inserts so many a second, in fives, and waits for their calls; how long each waited after its commit. */
  paced(seconds: number, insert: Insert): Promise<readonly number[]>
}

/** Calls `committed` as soon as it hears of the commit. */
export type Insert = (numbers: readonly number[], committed: () => void) => Promise<void>

/** Jobs a second of the steady rate. */
export const RATE = 1_000
/** Of it the first seconds, in which connections, plans and code are made: they are not counted. */
export const WARM_UP_SECONDS = 2
const TOGETHER = 5

export async function counting(expected: number, url: string): Promise<Counting> {
  const postmaster = await postmasterOf(url)
  const cpuNow = (): Cpu => {
    const { user, system } = process.cpuUsage()
    return { process: user + system, server: cpuOfServer(postmaster) }
  }
  let before: Cpu = cpuNow()
  const calledAt = new Map<number, number>()
  const { promise, resolve } = Promise.withResolvers<{ first: number; last: number }>()
  let calls = 0
  let first = 0
  return {
    called(number) {
      const now = performance.now()
      if (calls === 0) {
        before = cpuNow()
        first = now
      }
      calls += 1
      calledAt.set(number, now)
      if (calls === expected) resolve({ first, last: now })
    },
    all: promise,
    cpu() {
      const now = cpuNow()
      return { process: now.process - before.process, server: now.server - before.server }
    },
    async paced(seconds, insert) {
      const committedAt = new Map<number, number>()
      const open: Promise<void>[] = []
      const began = performance.now()
      for (let next = 0; next < RATE * seconds; ) {
        const due = Math.min(RATE * seconds, ((performance.now() - began) / 1_000) * RATE)
        for (; next + TOGETHER <= due; next += TOGETHER) {
          const numbers = Array.from({ length: TOGETHER }, (_, i) => next + i)
          const committed = () => {
            for (const number of numbers) committedAt.set(number, performance.now())
          }
          open.push(insert(numbers, committed))
        }
        await Bun.sleep(1)
      }
      await Promise.all(open)
      await promise
      // Another process can call before the producer hears of the commit: that is no wait at all.
      const counted = [...committedAt].filter(([number]) => number >= RATE * WARM_UP_SECONDS)
      return counted.map(([number, at]) => Math.max(0, (calledAt.get(number) ?? Number.NaN) - at))
    },
  }
}

/** The server's first process, which all of its others are children of. It runs on this machine. */
async function postmasterOf(url: string): Promise<number> {
  const client = new Client({ connectionString: url })
  await client.connect()
  const { rows } = await client.query<{ pid: number }>("select pg_backend_pid() as pid")
  const pid = statOf(String(rows[0]?.pid))?.parent ?? 0
  await client.end()
  return pid
}

const TICK_MICROS = 10_000

/** Of all processes of the server, those that have ended included. */
function cpuOfServer(postmaster: number): number {
  let ticks = statOf(String(postmaster))?.ended ?? 0
  for (const entry of readdirSync("/proc")) {
    const stat = /^\d+$/.test(entry) ? statOf(entry) : null
    if (stat?.parent === postmaster) ticks += stat.own
  }
  return ticks * TICK_MICROS
}

/** Null: it has ended. Times in ticks, see proc(5). */
function statOf(pid: string): { readonly parent: number; readonly own: number; readonly ended: number } | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ") // from the third field on
    const [parent, user, system, endedUser, endedSystem] = [1, 11, 12, 13, 14].map((at) => Number(fields[at]))
    return { parent: parent ?? 0, own: (user ?? 0) + (system ?? 0), ended: (endedUser ?? 0) + (endedSystem ?? 0) }
  } catch {
    return null
  }
}

/** Of the command line: what is asked, in which database, how much of it. */
export function asked(): { readonly url: string; readonly mode: "backlog" | "paced"; readonly amount: number } {
  const [url = "", mode, amount] = process.argv.slice(2)
  if (mode !== "backlog" && mode !== "paced") throw new Error("backlog or paced")
  return { url, mode, amount: Number(amount) }
}
