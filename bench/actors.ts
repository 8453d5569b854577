/**
 * What the actors cost: messages per second through a mailbox, against a bare async loop and against xstate 5, and
 * starting and stopping many children. Needs no server; takes about half a minute.
 */
import { heapOnly, oneByOne, pooled, supervised, type Took, weigh } from "./actors/children.ts"
import { CONTESTS, type Contest } from "./actors/contests.ts"
import type { Contestant } from "./actors/tally.ts"
import { machineLine, median, num, percentile, printRows, printTable, type Row } from "./harness.ts"

/** Many short ones: whatever else the machine does hits a few of them, and rivals are compared round by round. */
const ROUNDS = 25
const CHILD_ROUNDS = 3
const COUNTS = [1_000, 3_000, 10_000, 30_000, 100_000]
const STATIC_COUNTS = [1_000, 3_000, 10_000]
const AIM_COUNT = 10_000
const AIM_MS = 1_000
/** 1 is linear; a collector that walks a hundred times as many objects earns a little more. */
const AIM_EXPONENT = 1.15
/** A lost message would be waited for forever. */
const RUN_DEADLINE_MS = 30_000

/** Runs the bench; prints its own tables and returns the rows for the common one. */
export async function actors(): Promise<readonly Row[]> {
  // Everything once: the engine has then seen every shape of handler and actor, as in a hub, before it counts.
  for (const contest of CONTESTS) for (const one of everybody(contest)) await rate(one, one.messages)
  const results: Result[] = []
  for (const contest of CONTESTS) results.push(await hold(contest))
  printContests(results)
  return [...results.flatMap(contestRows), ...(await children())]
}

// ── messages ────────────────────────────────────────────────────────────────────────────────────────────────────────

const everybody = ({ runtime, bare, xstate, forScale = [] }: Contest): readonly Contestant[] => [
  runtime,
  ...bare,
  ...xstate,
  ...forScale,
]

interface Result {
  readonly contest: Contest
  /** Messages per second, one for each round. */
  readonly rates: ReadonlyMap<Contestant, readonly number[]>
}

/** Messages per second of one run. */
async function rate({ name, run }: Contestant, messages: number): Promise<number> {
  Bun.gc(true) // nobody pays for the rubbish of the one before
  const { promise: late, reject } = Promise.withResolvers<never>()
  const deadline = setTimeout(() => reject(new Error(`${name}: not done in ${RUN_DEADLINE_MS} ms`)), RUN_DEADLINE_MS)
  try {
    return (messages / (await Promise.race([run(messages), late]))) * 1_000
  } finally {
    clearTimeout(deadline)
  }
}

/** Interleaved rounds, every second one in reverse order. */
async function hold(contest: Contest): Promise<Result> {
  const rates = new Map(everybody(contest).map((one): [Contestant, number[]] => [one, []]))
  for (let round = 0; round < ROUNDS; round++) {
    const order = round % 2 === 0 ? everybody(contest) : everybody(contest).toReversed()
    for (const one of order) rates.get(one)?.push(await rate(one, one.messages))
  }
  return { contest, rates }
}

const middle = ({ rates }: Result, one: Contestant): number => median(rates.get(one) ?? [])

/** The runtime's rate divided by the rival's of the same round. */
function ratios({ contest, rates }: Result, rival: Contestant): readonly number[] {
  const theirs = rates.get(rival) ?? []
  return (rates.get(contest.runtime) ?? []).map((mine, round) => mine / (theirs[round] ?? Number.NaN))
}

/** The middle four fifths of the rounds. */
const spread = (values: readonly number[]): string =>
  `${percentile(values, 0.1).toFixed(2)} to ${percentile(values, 0.9).toFixed(2)}`

function printContests(results: readonly Result[]): void {
  console.log(`\nmessages per second, medians of ${ROUNDS} interleaved rounds; ratio: the actor's rate ÷ this one's`)
  printTable(
    ["", "who", "messages", "millions/s", "ratio", "80 % of rounds"],
    results.flatMap((result) =>
      everybody(result.contest).map((one, at) => {
        const against = ratios(result, one)
        const compared = at === 0 ? ["", ""] : [median(against).toFixed(2), spread(against)]
        const shown = [one.name, num(one.messages), (middle(result, one) / 1e6).toFixed(2)]
        return [at === 0 ? result.contest.what : "", ...shown, ...compared]
      }),
    ),
  )
}

/** Against the fastest of each kind of rival. */
function contestRows(result: Result): readonly Row[] {
  const { what, runtime, bare, xstate, aim } = result.contest
  const fastest = (rivals: readonly Contestant[]) =>
    rivals.toSorted((a, b) => middle(result, b) - middle(result, a)).slice(0, 1)
  const against = (rival: Contestant, whom: string, least: number | null): Row => {
    const ratio = median(ratios(result, rival))
    const millions = (one: Contestant) => (middle(result, one) / 1e6).toFixed(1)
    return {
      bench: "actors",
      what: `${what} ÷ ${whom}`,
      figure: `${ratio.toFixed(2)} (${millions(runtime)} ÷ ${millions(rival)} M/s)`,
      aim: least === null ? null : whom === "xstate" ? `> ${least}` : `≥ ${least}`,
      met: least === null ? null : whom === "xstate" ? ratio > least : ratio >= least,
    }
  }
  return [
    ...fastest(bare).map((rival) => against(rival, "bare loop", aim)),
    ...fastest(xstate).map((rival) => against(rival, "xstate", aim === null ? null : 1)),
  ]
}

// ── children ────────────────────────────────────────────────────────────────────────────────────────────────────────

interface Herd {
  readonly what: string
  readonly run: (count: number) => Promise<Took>
  readonly counts: readonly number[]
  /** Only to tell what of a growth is the collector's: it has no aim. */
  readonly forScale?: true
}

const HERDS: readonly Herd[] = [
  { what: "pool, stopped together", run: pooled, counts: COUNTS },
  { what: "pool, stopped one by one", run: oneByOne, counts: [AIM_COUNT] },
  { what: "supervisor's fixed children", run: supervised, counts: STATIC_COUNTS },
  { what: "as large a heap without a supervisor", run: heapOnly, counts: STATIC_COUNTS, forScale: true },
]

/** All runs of one herd with one count. */
interface Runs {
  readonly count: number
  readonly took: Took[]
  /** Processor milliseconds of the process, the collector's threads included. */
  cpuMs: number
}

/** Runs a small herd as often in a row as a large one has room for, so that each count pays its share of the collector. */
async function measure(herd: Herd, runs: Runs): Promise<void> {
  Bun.gc(true)
  const before = process.cpuUsage()
  const times = Math.max(1, Math.floor(Math.max(...herd.counts) / runs.count / CHILD_ROUNDS))
  for (let time = 0; time < times; time++) runs.took.push(await herd.run(runs.count))
  const { user, system } = process.cpuUsage(before)
  runs.cpuMs += (user + system) / 1_000
}

async function children(): Promise<readonly Row[]> {
  const weight = await weigh(100_000)
  for (const { run } of HERDS) await run(AIM_COUNT)
  const results = HERDS.map((herd) => ({
    herd,
    runs: herd.counts.map((count): Runs => ({ count, took: [], cpuMs: 0 })),
  }))
  for (let round = 0; round < CHILD_ROUNDS; round++) {
    for (const { herd, runs } of results) for (const one of runs) await measure(herd, one)
  }
  const start = ({ took }: Runs) => median(took.map((one) => one.start))
  const stop = ({ took }: Runs) => median(took.map((one) => one.stop))
  const both = ({ took }: Runs) => median(took.map((one) => one.start + one.stop))
  const cpuEach = ({ took, count, cpuMs }: Runs) => (cpuMs / took.length / count) * 1_000

  console.log("\nidle children started and stopped: medians, and processor time with the collector's share")
  printTable(
    ["", "children", "runs", "start ms", "stop ms", "µs each", "processor µs each"],
    results.flatMap(({ herd, runs }) =>
      runs.map((one, at) => [
        at === 0 ? herd.what : "",
        num(one.count),
        String(one.took.length),
        num(start(one)),
        num(stop(one)),
        ((both(one) / one.count) * 1_000).toFixed(1),
        cpuEach(one).toFixed(1),
      ]),
    ),
  )

  const bench = "actors"
  const rows = results.flatMap(({ herd, runs }): readonly Row[] => {
    const aimed = runs.find(({ count }) => count === AIM_COUNT)
    const took = aimed === undefined ? Number.NaN : both(aimed)
    const what = `${num(AIM_COUNT)} children, ${herd.what}`
    const time = { bench, what, figure: `${num(took)} ms`, aim: `< ${num(AIM_MS)} ms`, met: took < AIM_MS }
    if (runs.length < 2) return [time]
    const exponent = growth(runs.map((one) => [one.count, cpuEach(one) * one.count]))
    const figure = `children ^ ${exponent.toFixed(2)}`
    const grows = { bench, what: `growth, ${herd.what}`, figure }
    if (herd.forScale) return [{ ...grows, aim: null, met: null }]
    return [time, { ...grows, aim: `linear (^ 1, ≤ ${AIM_EXPONENT})`, met: exponent <= AIM_EXPONENT }]
  })
  const figure = `${num(weight.heap)} bytes of heap, ${num(weight.rss)} of RSS`
  return [...rows, { bench, what: "an idle child in a pool", figure, aim: null, met: null }]
}

/** The slope of the straight line through the points in logarithms: 1 is linear, 2 quadratic. */
function growth(points: readonly (readonly [number, number])[]): number {
  const logs = points.map(([x, y]) => [Math.log(x), Math.log(y)] as const)
  const mean = (of: (point: readonly [number, number]) => number) =>
    logs.reduce((all, point) => all + of(point), 0) / logs.length
  const [x, y] = [mean((point) => point[0]), mean((point) => point[1])]
  return mean((point) => (point[0] - x) * (point[1] - y)) / mean((point) => (point[0] - x) ** 2)
}

if (import.meta.main) {
  console.log(await machineLine())
  printRows(await actors())
}
