/**
 * From POST to every open screen: deliveries a second, how late, what each costs, what an idle socket costs, and how fast sockets
 * join; the hub beside a bare Bun server that only publishes and beside socket.io on Node, in turns in the same run. The
 * hub's deliveries are of committed messages, and its sockets are people with tokens; its rivals store nothing and ask nobody.
 */
import { migrate } from "../src/store/migrate.ts"
import {
  benchPostgres,
  freshDatabase,
  machineLine,
  median,
  num,
  type Postgres,
  printRows,
  printTable,
  type Row,
} from "./harness.ts"
import { type Load, type LoadClient, type Loaded, startClient } from "./realtime/client.ts"
import { JWT_SECRET, KINDS, type Kind } from "./realtime/dialects.ts"
import { startFanOutServer } from "./realtime/servers.ts"
import { cpuMicros, type Server, startHub } from "./servers.ts"

const SHORT = process.env["BENCH_SHORT"] === "1"
const CASES = SHORT
  ? [{ sockets: 1_000, topics: 1 }]
  : [1_000, 5_000].flatMap((sockets) => [1, 100].map((topics) => ({ sockets, topics })))
const ROUNDS = SHORT ? 1 : 3
const SECONDS = 2
const SETTLE_MS = 2_000
/** The engine collects what joining left behind when it has been idle for some seconds. */
const IDLE_MS = 20_000
/** Loads that are not counted: the hub has the most code to be made, and its compilers take a fifth of it for half a minute. */
const WARM_UP: Record<Kind, number> = { hub: SHORT ? 3 : 9, bare: 2, storing: 4, "socket.io": 2 }
/** Of the steady load. */
const DELIVERIES_A_SECOND = 10_000
const BURST = 10
const AIM = { share: 0.8, memory: 2, burst: 1_000_000 }

interface Case {
  readonly sockets: number
  readonly topics: number
}

const MODES = ["singles", "bursts", "steady"] as const
type Mode = (typeof MODES)[number]

const loadOf = (mode: Mode, { sockets, topics }: Case): Load => ({
  perPost: mode === "bursts" ? BURST : 1,
  seconds: SECONDS,
  postsPerSecond: mode === "steady" ? (DELIVERIES_A_SECOND * topics) / sockets : null,
})

interface Measured extends Loaded {
  readonly cpuPerDelivery: number
  readonly perSecond: number
  /** Cores. */
  readonly serverBusy: number
  readonly clientBusy: number
}

interface Side {
  readonly kind: Kind
  readonly server: Pick<Server, "port" | "pid" | "stop">
  readonly client: LoadClient
  readonly opensPerSecond: number
  readonly joinsPerSecond: number
  /** What the process took before the first socket came, in kilobytes. */
  readonly before: number
  /** Of an idle joined socket; NaN until all sides have been idle. */
  kilobytes: number
  readonly measured: Record<Mode, Measured[]>
}

/** Runs the bench; prints a table for each case and returns the rows for the common one. */
export async function realtime(postgres: Postgres): Promise<readonly Row[]> {
  const rows: Row[] = []
  for (const of of CASES) rows.push(...(await measure(postgres, of)))
  return rows
}

async function measure(postgres: Postgres, of: Case): Promise<readonly Row[]> {
  const sides: Side[] = []
  try {
    for (const kind of KINDS) sides.push(await open(kind, postgres, of))
    await Bun.sleep(IDLE_MS)
    for (const side of sides) side.kilobytes = ((await kilobytes(side.server.pid)) - side.before) / of.sockets
    // Code is made and queues are filled before anything counts.
    for (const side of sides)
      for (let n = 0; n < WARM_UP[side.kind]; n++) await once(side, n % 2 ? "bursts" : "singles", of)
    for (let round = 0; round < ROUNDS; round++) {
      for (const mode of MODES) for (const side of sides) side.measured[mode].push(await once(side, mode, of))
    }
  } finally {
    for (const side of sides) await side.client.stop()
    for (const side of sides) await side.server.stop()
  }
  show(of, sides)
  return rowsOf(of, sides)
}

async function open(kind: Kind, postgres: Postgres, { sockets, topics }: Case): Promise<Side> {
  const url = await freshDatabase(postgres.url, `bench_realtime_${kind.replace(".", "_")}`)
  await migrate(url)
  // All come at once here: how many a second may is a setting, and no cost.
  const server =
    kind === "hub"
      ? await startHub(url, null, { JWT_SECRET, HUB_SOCKET_RATE: "1000000" })
      : await startFanOutServer(kind, url)
  const client = startClient(kind, server.port)
  await Bun.sleep(SETTLE_MS)
  const before = await kilobytes(server.pid)
  const { openMs, joinMs } = await client.enter(sockets, topics)
  return {
    kind,
    server,
    client,
    opensPerSecond: (sockets / openMs) * 1_000,
    joinsPerSecond: (sockets / joinMs) * 1_000,
    before,
    kilobytes: Number.NaN,
    measured: { singles: [], bursts: [], steady: [] },
  }
}

async function once({ server, client }: Side, mode: Mode, of: Case): Promise<Measured> {
  const before = await cpuMicros(server.pid)
  const loaded = await client.load(loadOf(mode, of))
  const micros = (await cpuMicros(server.pid)) - before
  return {
    ...loaded,
    cpuPerDelivery: micros / loaded.deliveries,
    perSecond: loaded.deliveries / loaded.seconds,
    serverBusy: micros / loaded.seconds / 1_000_000,
    clientBusy: loaded.clientCpuMicros / loaded.seconds / 1_000_000,
  }
}

async function kilobytes(pid: number): Promise<number> {
  const rollup = await Bun.file(`/proc/${pid}/smaps_rollup`).text()
  return Number(/^Rss: +(\d+) kB/m.exec(rollup)?.[1])
}

const middle = (side: Side, mode: Mode, what: (one: Measured) => number): number =>
  median(side.measured[mode].map(what))

function show({ sockets, topics }: Case, sides: readonly Side[]): void {
  console.log(`\n${num(sockets)} sockets on ${topics} topics, medians of ${ROUNDS} rounds`)
  printTable(
    [
      "",
      "opens/s",
      "joins/s",
      "KB a socket",
      ...MODES.flatMap((mode) => [mode, "p50 / p99 ms", "µs", "busy / client"]),
    ],
    sides.map((side) => [
      side.kind,
      num(side.opensPerSecond),
      num(side.joinsPerSecond),
      num(side.kilobytes),
      ...MODES.flatMap((mode) => [
        `${num(middle(side, mode, (one) => one.perSecond))}/s`,
        `${num(middle(side, mode, (one) => one.p50))} / ${num(middle(side, mode, (one) => one.p99))}`,
        num(middle(side, mode, (one) => one.cpuPerDelivery)),
        `${num(middle(side, mode, (one) => one.serverBusy))} / ${num(middle(side, mode, (one) => one.clientBusy))}`,
      ]),
    ]),
  )
}

function rowsOf({ sockets, topics }: Case, sides: readonly Side[]): readonly Row[] {
  const where = `${num(sockets)} sockets, ${topics === 1 ? "1 topic" : `${topics} topics`}`
  const [hub, bare, storing, socketio] = KINDS.map((kind) => sides.find((side) => side.kind === kind))
  if (hub === undefined || bare === undefined || storing === undefined || socketio === undefined)
    throw new Error("a side is missing")
  const row = (
    what: string,
    figure: string,
    aim: { readonly is: string; readonly met: boolean } | null = null,
  ): Row => ({
    bench: "realtime",
    what: `${where}: ${what}`,
    figure,
    aim: aim?.is ?? null,
    met: aim?.met ?? null,
  })
  /** Of each round, because the machine is another one a minute later. */
  const ratio = (mode: Mode, rival: Side, what: (one: Measured) => number): number =>
    median(hub.measured[mode].map((one, round) => what(one) / what(rival.measured[mode][round] ?? one)))
  const rate = (one: Measured): number => one.perSecond
  const cpu = (one: Measured): number => one.cpuPerDelivery
  const of = (mode: Mode, what: (one: Measured) => number, rival: Side): string =>
    `${num(ratio(mode, rival, what))} (${num(middle(hub, mode, what))} ÷ ${num(middle(rival, mode, what))})`
  const burst = middle(hub, "bursts", rate)
  const share = ratio("singles", bare, rate)
  const memory = hub.kilobytes / bare.kilobytes
  const large = sockets >= 5_000
  return [
    row("deliveries/s, hub ÷ bare", of("singles", rate, bare), { is: `≥ ${AIM.share}`, met: share >= AIM.share }),
    row("deliveries/s, hub ÷ bare that stores", of("singles", rate, storing)),
    row("deliveries/s, hub ÷ socket.io", of("singles", rate, socketio)),
    row("CPU µs a delivery, hub ÷ bare", of("singles", cpu, bare)),
    row(
      `${BURST} a commit, deliveries/s, hub ÷ bare`,
      of("bursts", rate, bare),
      large && topics === 1 ? { is: `≥ ${num(AIM.burst)}/s`, met: burst >= AIM.burst } : null,
    ),
    row(`${BURST} a commit, deliveries/s, hub ÷ bare that stores`, of("bursts", rate, storing)),
    row(`${BURST} a commit, deliveries/s, hub ÷ socket.io`, of("bursts", rate, socketio)),
    row(`${BURST} a commit, CPU µs a delivery, hub ÷ bare`, of("bursts", cpu, bare)),
    row(
      `p50 / p99 at ${num(DELIVERIES_A_SECOND)}/s, hub; bare; socket.io`,
      [hub, bare, socketio]
        .map(
          (side) =>
            `${num(middle(side, "steady", (one) => one.p50))} / ${num(middle(side, "steady", (one) => one.p99))}`,
        )
        .join("; ")
        .concat(" ms"),
    ),
    row(`CPU µs a delivery at ${num(DELIVERIES_A_SECOND)}/s, hub ÷ bare`, of("steady", cpu, bare)),
    row(
      "KB an idle socket, hub ÷ bare",
      `${num(memory)} (${num(hub.kilobytes)} ÷ ${num(bare.kilobytes)}; socket.io ${num(socketio.kilobytes)})`,
      // Of 1,000 most is what a process takes once.
      large ? { is: `≤ ${AIM.memory}`, met: memory <= AIM.memory } : null,
    ),
    row(
      "joins/s, hub; bare; socket.io",
      [hub, bare, socketio].map(({ joinsPerSecond }) => num(joinsPerSecond)).join("; "),
    ),
  ]
}

if (import.meta.main) {
  const postgres = await benchPostgres()
  try {
    console.log(await machineLine(postgres))
    printRows(await realtime(postgres))
  } finally {
    await postgres.stop()
  }
}
