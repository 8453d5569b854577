/**
 * A network between a client and a server that fails as asked: half-open connections, a server that accepts and says
 * nothing, cuts, slowness. Connections that are open and those that come are told apart, because a pool has both.
 */
import { connect, createServer, type Socket } from "node:net"

/** What is done with a connection from its beginning. */
export interface Treatment {
  /** `silent`: accepted, and then nothing at all. `refuse`: reset at once. */
  readonly kind: "pass" | "silent" | "refuse"
  /** Added to each piece, one way. */
  readonly latencyMs?: number
  /** One way; pieces queue behind each other. */
  readonly bytesPerSecond?: number
}

/** Looks at the bytes of one connection and may end it at an exact place. */
export interface Gate {
  /** What of the client's bytes goes on, and what is next: go on, cut both sides, or keep the server's answer to itself. */
  toServer(chunk: Buffer): { readonly forward: Buffer; readonly next: "go_on" | "cut" | "withhold" }
  /** Sees all that comes back; where it is withheld, true says that the moment to cut has come. */
  toClient(chunk: Buffer): boolean
}

export interface FaultProxy {
  readonly port: number
  /** The same URL, by way of this proxy. */
  through(url: string): string
  /** How connections are treated that come from now on; `n` counts them from 0. */
  treat(treatment: Treatment | ((n: number) => Treatment)): void
  /** Half-open: of the connections that are open now nothing passes any more, and neither side is told, for good. */
  freeze(): void
  /** Resets the connections that are open now. */
  cut(): void
  /** Connections that came so far. */
  readonly seen: number
  stop(): Promise<void>
}

/** Bytes that may wait in one direction before their sender has to. */
const MAX_QUEUED = 1 << 20

interface Connection {
  freeze(): void
  cut(): void
}

export async function startFaultProxy(options: {
  readonly port: number
  readonly host?: string
  readonly gate?: () => Gate
}): Promise<FaultProxy> {
  const open = new Set<Connection>()
  let seen = 0
  let treat = (_: number): Treatment => ({ kind: "pass" })

  const server = createServer((client) => {
    client.on("error", () => undefined) // "close" follows, and is what counts
    const treatment = treat(seen)
    seen += 1
    if (treatment.kind === "refuse") {
      client.resetAndDestroy()
      return
    }
    const made = join(client, treatment)
    open.add(made)
    client.once("close", () => open.delete(made))
  })

  const join = (client: Socket, treatment: Treatment): Connection => {
    if (treatment.kind === "silent") {
      client.on("data", () => undefined)
      return { freeze() {}, cut: () => client.resetAndDestroy() }
    }
    const upstream = connect({ port: options.port, host: options.host ?? "127.0.0.1", noDelay: true })
    client.setNoDelay(true)
    upstream.on("error", () => undefined)
    let frozen = false
    let withheld = false
    const cut = (): void => {
      client.resetAndDestroy()
      upstream.destroy()
    }
    const gate = options.gate?.()
    const toServer = lane(client, upstream, treatment, () => frozen)
    const toClient = lane(upstream, client, treatment, () => frozen)
    client.on("data", (chunk: Buffer) => {
      if (frozen || withheld) return
      const { forward, next } = gate?.toServer(chunk) ?? { forward: chunk, next: "go_on" }
      withheld = next === "withhold"
      toServer(forward)
      if (next === "cut") cut()
    })
    upstream.on("data", (chunk: Buffer) => {
      if (frozen) return
      const due = gate?.toClient(chunk) ?? false
      if (!withheld) toClient(chunk)
      else if (due) cut()
    })
    client.once("close", () => {
      if (!frozen) upstream.end()
    })
    upstream.once("close", () => {
      if (!frozen) client.end()
    })
    ends.add(() => upstream.destroy())
    return {
      freeze() {
        frozen = true
      },
      cut,
    }
  }
  const ends = new Set<() => void>()

  const { promise: listening, resolve, reject } = Promise.withResolvers<void>()
  server.once("error", reject)
  server.listen(0, "127.0.0.1", resolve)
  await listening
  const address = server.address()
  const port = typeof address === "object" && address !== null ? address.port : 0
  return {
    port,
    through(url) {
      const by = new URL(url)
      by.host = `127.0.0.1:${port}`
      return by.href
    },
    treat(treatment) {
      treat = typeof treatment === "function" ? treatment : () => treatment
    },
    freeze() {
      for (const connection of open) connection.freeze()
    },
    cut() {
      for (const connection of open) connection.cut()
    },
    get seen() {
      return seen
    },
    async stop() {
      const { promise, resolve: closed } = Promise.withResolvers<void>()
      server.close(() => closed())
      for (const connection of open) connection.cut()
      for (const end of ends) end()
      await promise
    },
  }
}

/** One direction: in order, late and narrow as the treatment says. */
function lane(from: Socket, to: Socket, treatment: Treatment, frozen: () => boolean): (chunk: Buffer) => void {
  const { latencyMs = 0, bytesPerSecond } = treatment
  if (latencyMs === 0 && bytesPerSecond === undefined) return (chunk) => void to.write(chunk)
  let free = 0
  let queued = 0
  return (chunk) => {
    const now = performance.now()
    free = Math.max(free, now) + (bytesPerSecond === undefined ? 0 : (chunk.length / bytesPerSecond) * 1_000)
    queued += chunk.length
    if (queued > MAX_QUEUED) from.pause()
    setTimeout(
      () => {
        queued -= chunk.length
        if (queued <= MAX_QUEUED) from.resume()
        if (!frozen() && to.writable) to.write(chunk)
      },
      free + latencyMs - now,
    )
  }
}
