/**
 * Hostile bytes at every way in, by grammar and mutation: HTTP on every documented route, frames on sockets, messages in
 * the stream. `FUZZ_SEED` repeats a run; what was found is printed whole, a request as small as it can be.
 */
import { startFuzzHub } from "../src/testing/fuzz-hub.ts"
import { fuzzMessages } from "../src/testing/fuzz-messages.ts"
import { fuzz, fuzzReport } from "../src/testing/fuzz-run.ts"
import { startNats } from "../src/testing/nats.ts"
import { fault } from "./fault.ts"
import type { Mutant } from "./mutants.ts"

interface Size {
  readonly http: number
  readonly frames: number
  readonly messages: number
}

/** Another seed for each run, unless one is given. */
const anySeed = (): number => Number(process.env["FUZZ_SEED"] ?? crypto.getRandomValues(new Int32Array(1))[0])

/** One run against a hub of its own, with the mutant's bug where one is given. */
export async function hunt({ http, frames, messages }: Size, mutant: Mutant | null, seed = anySeed()) {
  const nats = await startNats()
  const made = await startFuzzHub({
    NATS_URL: nats.url,
    ...(mutant === null ? {} : { BUN_OPTIONS: `--preload=${mutant.preload}` }),
  })
  let isOver = false
  const found = () => {
    isOver = true
  }
  try {
    const [result, stream] = await Promise.all([
      fuzz({ ...made, seed, http, frames, found }),
      fuzzMessages(nats.url, seed, messages, () => isOver),
    ])
    console.log(fuzzReport(result))
    return { ...result, stream }
  } finally {
    await made.remove()
    await nats.stop()
  }
}

export const fuzzing = fault({
  number: 45,
  name: "fuzz over HTTP, WebSocket and JetStream",
  short: { http: 30_000, frames: 68_000, messages: 2_000 },
  full: { http: 500_000, frames: 500_000, messages: 100_000 },
  injected: ({ http, frames, messages }) =>
    `${http} requests on every documented route, ${frames} frames, ${messages} messages, by grammar and mutation`,
  async run(size, mutant) {
    const { healthy, stream, ...result } = await hunt(size, mutant)
    return [
      { what: "requests", value: result.http, atLeast: size.http },
      { what: "frames", value: result.frames, atLeast: size.frames },
      { what: "messages", value: stream.messages, atLeast: size.messages },
      { what: "messages not settled", value: stream.left, atMost: 0 },
      { what: "findings", value: result.findings.length, atMost: 0 },
      { what: "worst lag of the loop", value: result.worstLag * 1_000, unit: "ms", atMost: 1_000 },
      { what: "who behaves: served", value: healthy.served, atLeast: 1 },
      { what: "who behaves: slowest", value: healthy.slowestMs, unit: "ms", atMost: 5_000 },
    ]
  },
})
