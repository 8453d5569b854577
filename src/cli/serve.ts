/** `hub serve`: the hub as a process. Settings first, all mistakes at once; then the hub; then signals until the end. */
import { explainConfigError, loadConfig } from "../config.ts"
import type { Hub } from "../hub.ts"
import { startWatchdog } from "../runtime/watchdog.ts"
import { type Command, flags, Misuse } from "./command.ts"
import { firstSteps } from "./first-steps.ts"
import { endOnWhatNobodyCaught } from "./last-resort.ts"

/** A drain that takes longer than this is no drain: whoever started us must get an answer. */
const STOP_DEADLINE_MS = 15_000
/** From "not ready" to the closed door: a balancer that asks often has heard it, and sends nobody who would be cut off. */
const LINGER_MS = 300
/** One wish to stop may arrive several times: from the terminal, from npm and from its shell. Later it is impatience. */
const SAME_WISH_MS = 2_000

export const serve: Command = {
  name: "serve",
  usage: "[--json]",
  summary: "run the hub: settings come from the environment alone",
  async run(invocation) {
    const { values } = flags(invocation, {}, 0)
    // Only here: all of the hub takes longer to load than most other commands take to run.
    const { alsoMissing, StartRefused, startHub } = await import("../hub.ts")
    const loaded = loadConfig(invocation.env)
    if (loaded.errors) {
      const errors = [...loaded.errors, ...(await alsoMissing(loaded.draft, loaded.errors))]
      throw new Misuse(errors.map(explainConfigError).join("\n"))
    }
    const { ok: config, warnings } = loaded
    const letPass = endOnWhatNobodyCaught(config.log.format)
    // Watches the start and the drain too: neither has a reason to block, and no deadline in here ends a blocked one.
    const watchdog = startWatchdog({
      format: config.log.format,
      debugged: Boolean(invocation.env["BUN_INSPECT"]), // how editors attach Bun's debugger
      onFailure: (error) => invocation.err(`hub: nobody watches for a blocked event loop: ${error}`),
    })
    const { promise: told, resolve: tell } = Promise.withResolvers<string>()
    const early = new AbortController()
    let hub: Hub | null = null
    let asked: number | null = null
    /** From here on it ends, within its deadline. */
    const end = (why: string): void => {
      setTimeout(() => process.exit(1), STOP_DEADLINE_MS).unref()
      tell(why)
    }
    const onSignal = (signal: string): void => {
      if (asked !== null) {
        // Whoever waits has lost patience.
        if (performance.now() - asked > SAME_WISH_MS) process.exit(1)
        return
      }
      asked = performance.now()
      early.abort()
      end(signal)
    }
    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, onSignal)
    try {
      hub = await startHub(config, {
        warnings,
        signal: early.signal,
        onGiveUp: (reason) => end(`gave_up: ${reason}`),
        notice: invocation.err,
      })
      if (!config.production) await firstSteps(config, hub, invocation, values.json)
      const why = await told
      const gaveUp = why.startsWith("gave_up")
      await hub.stop(why, gaveUp ? 0 : LINGER_MS)
      return gaveUp ? 1 : 0
    } catch (error) {
      if (early.signal.aborted) return 0
      if (error instanceof StartRefused) throw new Misuse(error.lines.join("\n"))
      throw error
    } finally {
      letPass()
      watchdog.stop()
    }
  },
}
