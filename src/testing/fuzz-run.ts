/**
 * One run of the fuzzer against a hub that is a process: so many inputs over HTTP and so many frames, from one seed, until
 * all are answered or something is broken. A request that gets a 5xx is made as small as it can be and printed.
 */
import fc from "fast-check"
import type { JsonObject } from "../domain/json.ts"
import { type FrameInput, frameBatch, type Version } from "./fuzz-frames.ts"
import { askOddly, httpLine } from "./fuzz-http-line.ts"
import { type FuzzWorld, operationsOf, requests } from "./fuzz-requests.ts"
import { type SocketLine, socketLine } from "./fuzz-socket-line.ts"
import { type Watch, watchHub } from "./fuzz-watch.ts"
import type { HubProcess } from "./hub-process.ts"

export interface FuzzOptions {
  readonly hub: HubProcess
  readonly seed: number
  readonly http: number
  readonly frames: number
  /** Of an operator, for the client that behaves. */
  readonly apiKey: string
  readonly credentials: FuzzWorld["credentials"]
  readonly ids: FuzzWorld["ids"]
  /** The tokens of the sockets; "" is none. */
  readonly tokens: readonly string[]
  /** Told that something was found, and that the run ends. */
  readonly found?: () => void
}

export interface FuzzResult {
  readonly seed: number
  readonly seconds: number
  readonly operations: number
  /** Inputs that were sent and had their answer, or their connection's end, or (odd ones only) their silence. */
  readonly http: number
  readonly frames: number
  /** How often each status came, and what else became of inputs. */
  readonly outcomes: ReadonlyMap<string, number>
  readonly healthy: ReturnType<Watch["healthy"]>
  readonly worstLag: number
  readonly findings: readonly string[]
}

const BLOCK = 500
const LINES = 24
const ODD_LINES = 24
const SOCKETS = 16
/** Of some 30 frames each: below the burst that a socket has (`realtime/limits.ts`). */
const BATCHES_A_SOCKET = 12
/** What a frame that is not whole is given before its connection is left. */
const NO_FRAME_MS = 150

export async function fuzz(options: FuzzOptions): Promise<FuzzResult> {
  const { hub, seed } = options
  const began = performance.now()
  const document = (await fetch(`http://127.0.0.1:${hub.port}/openapi.json`).then((r) => r.json())) as JsonObject // it is a document
  const operations = operationsOf(document)
  const { credentials, ids } = options
  const watch = await watchHub(options)
  const findings: string[] = []
  const outcomes = new Map<string, number>()
  const count = (what: string, by = 1) => outcomes.set(what, (outcomes.get(what) ?? 0) + by)
  const isOver = () => findings.length > 0 || watch.broken().length > 0
  const inFlight = new Set<Buffer>()

  let http = 0
  const odd: Buffer[] = []
  const whole: Buffer[] = []
  let block = 0
  const inputs = requests({ operations, credentials, ids })
  const next = (from: Buffer[], other: Buffer[]): Buffer | null => {
    for (;;) {
      const ready = from.pop()
      if (ready !== undefined) return ready
      if (block * BLOCK >= options.http) return null
      const size = Math.min(BLOCK, options.http - block * BLOCK)
      for (const input of sample(inputs, seed, block++, size))
        (input.whole === (from === whole) ? from : other).push(input.bytes)
    }
  }
  const failed = async (bytes: Buffer, status: number): Promise<void> => {
    if (findings.length > 0) return
    findings.push(`answered ${status}`)
    const small = await smallest(hub.port, bytes)
    findings[0] = `answered ${status}, seed ${seed}: ${JSON.stringify(small.toString("latin1")).slice(0, 4_000)}`
  }
  const askWhole = async (): Promise<void> => {
    const line = httpLine(hub.port)
    for (let bytes = next(whole, odd); bytes !== null && !isOver(); bytes = next(whole, odd)) {
      inFlight.add(bytes)
      const result = await line.ask(bytes).catch(() => "closed" as const)
      inFlight.delete(bytes)
      http += 1
      count(String(result))
      if (typeof result === "number" && result >= 500 && result !== 503) await failed(bytes, result)
      if (result === "silent")
        findings.push(`no answer, seed ${seed}: ${JSON.stringify(bytes.toString("latin1")).slice(0, 4_000)}`)
    }
    line.close()
  }
  const askOdd = async (): Promise<void> => {
    for (let bytes = next(odd, whole); bytes !== null && !isOver(); bytes = next(odd, whole)) {
      inFlight.add(bytes)
      const statuses = await askOddly(hub.port, bytes).catch(() => [])
      inFlight.delete(bytes)
      http += 1
      count(statuses.length === 0 ? "odd: no answer" : `odd: ${statuses.length > 1 ? "several answers" : statuses[0]}`)
      const bad = statuses.find((status) => status >= 500 && status !== 503 && status !== 505)
      if (bad !== undefined) await failed(bytes, bad)
    }
  }

  let frames = 0
  let batch = 0
  const talk = async (version: Version): Promise<void> => {
    const batches = frameBatch(version)
    const kept: { line: SocketLine | null; batches: number } = { line: null, batches: 0 }
    const pending: (readonly FrameInput[])[] = []
    while (frames < options.frames && !isOver()) {
      if (pending.length === 0) pending.push(...sample(batches, seed, 1_000_000 + batch++, 8))
      const [one = []] = pending.splice(0, 1)
      const token = options.tokens[batch % options.tokens.length] ?? ""
      // Nothing ends it but what it sends: it goes before it has sent too much.
      if (kept.batches === BATCHES_A_SOCKET) kept.line?.close()
      const isKept = kept.line?.isOpen() === true && kept.batches < BATCHES_A_SOCKET
      const line = isKept ? kept.line : await socketLine(hub.port, version, token).catch(() => null)
      kept.line = line
      kept.batches = isKept ? kept.batches + 1 : 1
      if (line === null) {
        count("ws: not opened")
        findings.push("a socket was refused")
        return
      }
      const living = one.filter(({ mayEnd }) => !mayEnd)
      for (const { bytes } of living) {
        inFlight.add(bytes)
        line.write(bytes)
      }
      const alive = await line.beat()
      for (const { bytes } of living) inFlight.delete(bytes)
      if (alive !== true) {
        const what = living.map(({ bytes }) => JSON.stringify(bytes.toString("latin1")).slice(0, 600)).join("\n")
        if (!isOver())
          findings.push(
            `a socket (${version}) ${alive === false ? `ended (${line.endedWith()})` : "fell silent"}, seed ${seed}, within: ${what}`,
          )
        return
      }
      frames += living.length
      count("ws: lived with", living.length)
      for (const { bytes } of one.filter(({ mayEnd }) => mayEnd)) {
        inFlight.add(bytes)
        line.write(bytes)
        const after = await line.beat(NO_FRAME_MS)
        inFlight.delete(bytes)
        frames += 1
        count(after === true ? "ws: lived with" : after === false ? "ws: ended for it" : "ws: waits for more")
        if (after !== true) {
          line.close()
          kept.line = null
        }
      }
    }
    kept.line?.close()
  }

  const crew = (size: number, work: (i: number) => Promise<void>) => Array.from({ length: size }, (_, i) => work(i))
  await Promise.all([
    ...(options.http > 0 ? [...crew(LINES, askWhole), ...crew(ODD_LINES, askOdd)] : []),
    ...(options.frames > 0 ? crew(SOCKETS, (i) => talk(i % 3 === 0 ? "1.0.0" : "2.0.0")) : []),
  ])
  if (isOver())
    for (const bytes of inFlight)
      findings.push(`under way: ${JSON.stringify(bytes.toString("latin1")).slice(0, 1_000)}`)
  if (isOver()) options.found?.()
  await watch.stop()
  return {
    seed,
    seconds: (performance.now() - began) / 1_000,
    operations: operations.length,
    http,
    frames,
    outcomes,
    healthy: watch.healthy(),
    worstLag: watch.worstLag(),
    findings: [...watch.broken(), ...findings],
  }
}

const sample = <T>(from: fc.Arbitrary<T>, seed: number, block: number, size: number): T[] =>
  fc.sample(from, { seed: (seed + block * 7_919) | 0, numRuns: size })

/** A smaller request may be half of one, which gets no answer. */
const AGAIN_MS = 400

/** The request with all taken away that its 5xx does not need; as it is where that cannot be seen again. */
async function smallest(port: number, bytes: Buffer): Promise<Buffer> {
  const fails = async (some: Buffer): Promise<boolean> =>
    (await askOddly(port, some, AGAIN_MS).catch(() => [])).some(
      (status) => status >= 500 && status !== 503 && status !== 505,
    )
  if (!(await fails(bytes))) return bytes
  let now = bytes
  let tries = 200
  for (let size = now.length >> 1; size >= 1 && tries > 0; size = size >> 1)
    for (let at = 0; at < now.length && tries > 0; tries--) {
      const without = Buffer.concat([now.subarray(0, at), now.subarray(at + size)])
      if (await fails(without)) now = without
      else at += size
    }
  return now
}

/** One paragraph for whoever reads the run. */
export const fuzzReport = (result: FuzzResult): string =>
  [
    `fuzz: seed ${result.seed}, ${result.http + result.frames} inputs (${result.http} HTTP on ${result.operations} operations, ${result.frames} frames) in ${result.seconds.toFixed(1)} s`,
    `  outcomes: ${[...result.outcomes]
      .sort(([, a], [, b]) => b - a)
      .map(([what, n]) => `${what} ${n}`)
      .join(", ")}`,
    `  a client that behaves: ${result.healthy.served} requests, ${result.healthy.pushed} pushes, slowest ${result.healthy.slowestMs.toFixed(0)} ms; worst lag of the loop ${result.worstLag.toFixed(2)} s`,
    `  findings: ${result.findings.length === 0 ? "none" : `\n${result.findings.join("\n")}`}`,
  ].join("\n")
