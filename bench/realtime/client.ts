/**
 * The load, in a process of its own: opens and joins sockets, posts messages and sees them come, all by one clock. Commanded over
 * IPC; every server has a client of its own that runs this same code.
 */
import { percentile } from "../harness.ts"
import { type Connection, connect } from "../http-client.ts"
import { DIALECTS, type Kind, topicName } from "./dialects.ts"
import { openSwarm } from "./swarm.ts"

export interface Load {
  /** Messages in each POST: one commit, one tick. */
  readonly perPost: number
  readonly seconds: number
  /** POSTs a second; null: as fast as they go. */
  readonly postsPerSecond: number | null
}

export interface Loaded {
  readonly deliveries: number
  /** From the first POST to the last receipt. */
  readonly seconds: number
  /** From POST to receipt, at the sampled sockets; milliseconds. */
  readonly p50: number
  readonly p99: number
  /** This process's own processor time. */
  readonly clientCpuMicros: number
}

/** How the bench commands it. */
export interface LoadClient {
  /** Opens the sockets and joins them, spread over so many topics; milliseconds of each. */
  enter(sockets: number, topics: number): Promise<{ readonly openMs: number; readonly joinMs: number }>
  load(load: Load): Promise<Loaded>
  stop(): Promise<void>
}

type Command =
  | {
      readonly do: "enter"
      readonly port: number
      readonly kind: Kind
      readonly sockets: number
      readonly topics: number
    }
  | { readonly do: "load"; readonly load: Load }

/** POSTs under way for each topic: one is on its way while the last is received, and no more are there to be joined. */
const POSTS_A_TOPIC = 2
const MOST_POSTS = 64
const RECEIPT_DEADLINE_MS = 20_000

export function startClient(kind: Kind, port: number): LoadClient {
  let answer: PromiseWithResolvers<unknown> | null = null
  const child = Bun.spawn([process.execPath, import.meta.path], {
    stdout: "inherit",
    stderr: "inherit",
    ipc: (message) => answer?.resolve(message),
    onExit: () => answer?.reject(new Error("the load client ended")),
  })
  const command = async <R>(what: Command): Promise<R> => {
    answer = Promise.withResolvers()
    child.send(what)
    return (await answer.promise) as R // of the same file, below
  }
  return {
    enter: (sockets, topics) => command({ do: "enter", port, kind, sockets, topics }),
    load: (load) => command({ do: "load", load }),
    async stop() {
      child.kill()
      await child.exited
    },
  }
}

// ── the process ─────────────────────────────────────────────────────────────────────────────────────────────────────

async function enter(port: number, kind: Kind, sockets: number, topics: number) {
  const dialect = DIALECTS[kind]
  const sentAt: number[] = []
  let latencies: number[] = []
  let more = (): void => {}
  const swarm = openSwarm(port, dialect, sockets, {
    received(number) {
      latencies.push(performance.now() - (sentAt[number] ?? Number.NaN))
    },
    more: () => more(),
    broke(why) {
      console.error(`${kind}: ${why}`)
      process.exit(1)
    },
  })
  const openMs = await swarm.opened
  const joinMs = await swarm.ask((index) => dialect.join(topicName(index % topics)))
  const free: Connection[] = []
  const perMessage = sockets / topics
  let next = 0
  let topic = 0

  const post = async (perPost: number): Promise<void> => {
    const connection = free.pop()
    if (connection === undefined) throw new Error("no connection is free")
    const numbers = Array.from({ length: perPost }, () => next++)
    const bytes = dialect.post(port, topicName(topic++ % topics), numbers)
    const now = performance.now()
    for (const number of numbers) sentAt[number] = now
    const status = await connection.request(bytes)
    if (status >= 300) throw new Error(`${kind} answered ${status}`)
    free.push(connection)
    more()
  }

  async function load({ perPost, seconds, postsPerSecond }: Load): Promise<Loaded> {
    if (dialect.beat !== null) await swarm.ask(() => dialect.beat ?? "")
    // Anew for each load: servers close connections that were idle for a while.
    free.push(...(await Promise.all(Array.from({ length: MOST_POSTS }, () => connect(port)))))
    latencies = []
    const each = perPost * perMessage
    const before = swarm.deliveries()
    const cpu = process.cpuUsage()
    const began = performance.now()
    const until = began + seconds * 1_000
    let posted = 0
    const open = new Set<Promise<void>>()
    const all = Promise.withResolvers<void>()
    const launch = (): void => {
      posted += 1
      const one = post(perPost).catch((error: unknown) => all.reject(error))
      open.add(one)
      void one.then(() => open.delete(one))
    }
    const arrived = (): boolean => swarm.deliveries() - before >= posted * each
    const deadline = setTimeout(
      () => all.reject(new Error(`${kind}: ${posted * each - swarm.deliveries() + before} deliveries never came`)),
      seconds * 1_000 + RECEIPT_DEADLINE_MS,
    )
    let closed = false
    if (postsPerSecond === null) {
      const window = Math.min(MOST_POSTS, POSTS_A_TOPIC * topics)
      more = () => {
        closed = performance.now() >= until
        while (!closed && free.length > 0 && posted * each - (swarm.deliveries() - before) <= (window - 1) * each)
          launch()
        if (closed && arrived()) all.resolve()
      }
      more()
      await all.promise
    } else {
      more = () => {
        if (closed && arrived()) all.resolve()
      }
      for (let due = 0; due < seconds * postsPerSecond; due++) {
        const wait = began + (due * 1_000) / postsPerSecond - performance.now()
        if (wait > 0) await Bun.sleep(wait)
        if (free.length > 0) launch()
      }
      closed = true
      more()
      await all.promise
    }
    clearTimeout(deadline)
    const spent = performance.now() - began
    const used = process.cpuUsage(cpu)
    more = () => {}
    await Promise.all(open)
    for (const connection of free.splice(0)) connection.close()
    return {
      deliveries: swarm.deliveries() - before,
      seconds: spent / 1_000,
      p50: percentile(latencies, 0.5),
      p99: percentile(latencies, 0.99),
      clientCpuMicros: used.user + used.system,
    }
  }
  return { openMs, joinMs, load }
}

if (import.meta.main) {
  let entered: Awaited<ReturnType<typeof enter>> | null = null
  const obey = async (command: Command): Promise<void> => {
    switch (command.do) {
      case "enter": {
        entered = await enter(command.port, command.kind, command.sockets, command.topics)
        process.send?.({ openMs: entered.openMs, joinMs: entered.joinMs })
        return
      }
      case "load":
        process.send?.(await entered?.load(command.load))
        return
    }
  }
  process.on("message", (command: Command) => {
    obey(command).catch((error: unknown) => {
      console.error(error)
      process.exit(1)
    })
  })
}
