/**
 * A client that behaves, beside those that do not: what it is told, how late, and whether all of it comes. A process of its own, or
 * it would measure how busy its own process is with misbehaving.
 */
import { SERVICE_KEY } from "../src/testing/front.ts"
import { textFrame } from "../src/testing/fuzz-frames.ts"
import { enter, type Place } from "./hostile-clients.ts"
import { untilTaken } from "./world.ts"

const QUIET = "resources:b1:quiet"

export interface Neighbour {
  /** Milliseconds from POST to receipt since the last time that it was asked. */
  lap(): Promise<readonly number[]>
  stop(): Promise<Seen>
}

interface Seen {
  readonly messages: number
  readonly gaps: number
}

type Command = { readonly start: Place; readonly perSecond: number } | "lap" | "stop"

/** Joins a topic of its own, beats its heart and is told something at a fixed rate. */
export async function startNeighbour(place: Place, perSecond: number): Promise<Neighbour> {
  let answer = Promise.withResolvers<unknown>()
  const child = Bun.spawn([process.execPath, "--no-env-file", import.meta.path], {
    stdout: "inherit",
    stderr: "inherit",
    ipc: (message) => answer.resolve(message),
    onExit: () => answer.reject(new Error("the neighbour ended")),
  })
  const ask = async <R>(command: Command): Promise<R> => {
    answer = Promise.withResolvers()
    child.send(command)
    return (await answer.promise) as R // of the same file, below
  }
  await ask({ start: place, perSecond })
  return {
    lap: () => ask("lap"),
    async stop() {
      const seen = await ask<Seen>("stop")
      answer.promise.catch(() => {}) // it is to end
      child.kill()
      await child.exited
      return seen
    },
  }
}

/** One message of a place of the business, of so many bytes more than it needs. */
export const post = async (port: number, location: string, n: number, bytes = 0): Promise<void> => {
  const answer = await untilTaken(
    () =>
      fetch(`http://127.0.0.1:${port}/api/notifications`, {
        method: "POST",
        headers: { authorization: `Bearer ${SERVICE_KEY}`, "content-type": "application/json" },
        body: JSON.stringify({
          type: "resource_updated",
          resourceType: "reservation",
          businessId: "b1",
          locationId: location,
          resourceId: `${crypto.randomUUID()} ${n}`,
          timestamp: "2026-01-01T00:00:00.000Z",
          data: { n, text: "x".repeat(bytes) },
        }),
      }),
    () => {},
  )
  if (!answer.ok) throw new Error(`a message was answered ${answer.status}: ${await answer.text()}`)
  await answer.text()
}

async function live(place: Place, perSecond: number): Promise<{ lap(): readonly number[]; stop(): Promise<Seen> }> {
  const raw = await enter(place)
  const sentAt: number[] = []
  let latencies: number[] = []
  let last = 0
  let messages = 0
  let gaps = 0
  const joined = Promise.withResolvers<void>()
  raw.onText = (text) => {
    if (text.includes('"phx_reply"')) joined.resolve()
    const [, n, offset] = /"n":(\d+).*"_offset":(\d+)/.exec(text) ?? []
    if (n === undefined) return
    messages += 1
    if (Number(offset) !== last + 1) gaps += 1
    last = Number(offset)
    latencies.push(performance.now() - (sentAt[Number(n)] ?? Number.NaN))
  }
  const say = (...parts: readonly unknown[]): void => void raw.socket.write(textFrame(JSON.stringify(parts)))
  say("1", "1", QUIET, "phx_join", {})
  // What is told to a topic before it is joined is nobody's loss.
  await joined.promise
  const heart = setInterval(() => say(null, "2", "phoenix", "heartbeat", {}), 10_000)
  const open = new Set<Promise<void>>()
  const telling = setInterval(() => {
    const n = sentAt.push(performance.now()) - 1
    const one = post(place.port, "quiet", n)
    open.add(one)
    void one.finally(() => open.delete(one))
  }, 1_000 / perSecond)
  return {
    lap() {
      const lap = latencies
      latencies = []
      return lap
    },
    async stop() {
      clearInterval(telling)
      clearInterval(heart)
      await Promise.all(open)
      for (let waits = 0; messages < sentAt.length && waits < 500; waits++) await Bun.sleep(10)
      raw.socket.destroy()
      return { messages, gaps: gaps + sentAt.length - messages }
    },
  }
}

if (import.meta.main) {
  let alive: Awaited<ReturnType<typeof live>> | null = null
  const obey = async (command: Command): Promise<void> => {
    if (typeof command === "object") {
      alive = await live(command.start, command.perSecond)
      process.send?.("started")
    } else process.send?.(command === "lap" ? alive?.lap() : await alive?.stop())
  }
  process.on("message", (command: Command) => {
    obey(command).catch((error: unknown) => {
      console.error(error)
      process.exit(1)
    })
  })
}
