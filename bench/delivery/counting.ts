/** What hub and rivals do alike in their processes: count the work, and time what is commanded at a steady rate. */

/** The only line that the parent reads. */
export interface Result {
  /** From the first call to the last piece of work that is done, where a backlog was worked off. */
  readonly ms: number
  /** From the commit to the call, where work came at a steady rate. */
  readonly latencies: readonly number[]
}

export interface Counting {
  /** Of every call. `number` counts from 0 and says which it was. */
  called(number: number): void
  /** Resolves with the first and the last call's moment when all were called. */
  readonly all: Promise<{ readonly first: number; readonly last: number }>
  /** Inserts so many a second, in fives, and waits for their calls; how long each waited after its commit. */
  paced(seconds: number, insert: (numbers: readonly number[]) => Promise<void>): Promise<readonly number[]>
}

/** Jobs a second of the steady rate. */
export const RATE = 1_000
/** Of it the first seconds, in which connections, plans and code are made: they are not counted. */
export const WARM_UP_SECONDS = 2
const TOGETHER = 5

export function counting(expected: number): Counting {
  const calledAt = new Map<number, number>()
  const { promise, resolve } = Promise.withResolvers<{ first: number; last: number }>()
  let calls = 0
  let first = 0
  return {
    called(number) {
      const now = performance.now()
      if (calls === 0) first = now
      calls += 1
      calledAt.set(number, now)
      if (calls === expected) resolve({ first, last: now })
    },
    all: promise,
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
          open.push(insert(numbers).then(committed))
        }
        await Bun.sleep(1)
      }
      await Promise.all(open)
      await promise
      // A call can come before its producer hears of the commit: that is no wait at all.
      const counted = [...committedAt].filter(([number]) => number >= RATE * WARM_UP_SECONDS)
      return counted.map(([number, at]) => Math.max(0, (calledAt.get(number) ?? Number.NaN) - at))
    },
  }
}

/** Of the command line: what is asked, in which database, how much of it. */
export function asked(): { readonly url: string; readonly mode: "backlog" | "paced"; readonly amount: number } {
  const [url = "", mode, amount] = process.argv.slice(2)
  if (mode !== "backlog" && mode !== "paced") throw new Error("backlog or paced")
  return { url, mode, amount: Number(amount) }
}
