/** `hub serve`: the hub as a process. Settings first, all mistakes at once; then the hub; then signals until the end. */
import { loadConfig } from "../config.ts"
import { type Hub, StartRefused, startHub } from "../hub.ts"
import { type Command, flags, Misuse, settings } from "./command.ts"
import { firstSteps } from "./first-steps.ts"

/** A drain that takes longer than this is no drain: whoever started us must get an answer. */
const STOP_DEADLINE_MS = 15_000

export const serve: Command = {
  name: "serve",
  usage: "",
  summary: "run the hub: settings come from the environment alone",
  async run(invocation) {
    flags(invocation, {}, 0)
    const config = settings(invocation)
    const { promise: told, resolve: tell } = Promise.withResolvers<string>()
    const early = new AbortController()
    let hub: Hub | null = null
    let signals = 0
    const onSignal = (signal: string): void => {
      signals += 1
      // The second one means it: whoever waits has lost patience.
      if (signals > 1) process.exit(1)
      setTimeout(() => process.exit(1), STOP_DEADLINE_MS).unref()
      early.abort()
      tell(signal)
    }
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, onSignal)
    try {
      const { warnings } = loadConfig(invocation.env)
      hub = await startHub(config, {
        warnings,
        signal: early.signal,
        onGiveUp: (reason) => tell(`gave_up: ${reason}`),
        notice: invocation.err,
      })
      if (!config.production) await firstSteps(config, hub, invocation)
      const why = await told
      await hub.stop(why)
      return why.startsWith("gave_up") ? 1 : 0
    } catch (error) {
      if (error instanceof StartRefused) throw new Misuse(error.lines.join("\n"))
      if (early.signal.aborted) return 0
      throw error
    }
  },
}
