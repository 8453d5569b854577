/**
 * What a check is, and how they are made together: all at once, under one deadline, and none that fails or hangs keeps
 * the others from being seen. A finding says what to do about it.
 */
import type { Clock } from "../runtime/clock.ts"
import { describeError } from "../telemetry/scrub.ts"

export type Status = "ok" | "warn" | "fail"

export interface Finding {
  /** What was looked at: `database fsync`. */
  readonly check: string
  readonly status: Status
  /** What was found. Never a secret. */
  readonly detail: string
  /** Null where there is nothing to do. */
  readonly todo: string | null
}

/** How far this machine's clock is ahead of another's, in milliseconds; the truth lies between the two. */
export interface ClockDifference {
  readonly from: string
  readonly leastMs: number
  readonly mostMs: number
}

export interface Checked {
  readonly findings: readonly Finding[]
  readonly clocks?: readonly ClockDifference[]
}

export interface Check {
  readonly name: string
  /** Whatever it throws is a finding too. The signal is aborted at the deadline. */
  run(signal: AbortSignal): Promise<Checked>
}

export const ok = (check: string, detail: string): Finding => ({ check, status: "ok", detail, todo: null })
export const warn = (check: string, detail: string, todo: string): Finding => ({ check, status: "warn", detail, todo })
export const fail = (check: string, detail: string, todo: string): Finding => ({ check, status: "fail", detail, todo })

/** Makes all checks at once; resolves within the deadline, in the checks' order. */
export async function examine(checks: readonly Check[], clock: Clock, deadlineMs: number): Promise<Checked> {
  const over = new AbortController()
  const late = Promise.withResolvers<null>()
  const timer = clock.after(deadlineMs, () => {
    over.abort()
    late.resolve(null)
  })
  const all = await Promise.all(checks.map((check) => made(check, over.signal, late.promise, deadlineMs)))
  timer.cancel()
  return { findings: all.flatMap((each) => each.findings), clocks: all.flatMap((each) => each.clocks ?? []) }
}

async function made(check: Check, signal: AbortSignal, late: Promise<null>, deadlineMs: number): Promise<Checked> {
  try {
    const checked = await Promise.race([check.run(signal), late])
    if (checked !== null) return checked
    const todo = "see whether something between here and there swallows what is asked"
    return { findings: [fail(check.name, `no answer within ${deadlineMs / 1_000} s`, todo)] }
  } catch (error) {
    return { findings: [fail(check.name, `cannot be checked: ${describeError(error)}`, "see what the words say")] }
  }
}

/** More than this is seen: tokens that are not valid yet, signatures that are too old. */
const CLOCK_WARN_MS = 2_000

/** What all the clocks together say of ours. */
export function clockFinding(clocks: readonly ClockDifference[]): Finding {
  if (clocks.length === 0) return ok("clock", "there is no other clock to compare with")
  const differences = clocks.map(({ from, leastMs, mostMs }) => ({
    from,
    ms: leastMs > 0 ? leastMs : Math.min(mostMs, 0),
  }))
  const words = differences.map(
    ({ from, ms }) => `${(Math.abs(ms) / 1_000).toFixed(1)} s ${ms < 0 ? "behind" : "ahead of"} ${from}`,
  )
  const far = differences.some(({ ms }) => Math.abs(ms) > CLOCK_WARN_MS)
  const detail = words.join(", ")
  return far
    ? warn("clock", detail, "run an NTP client on every machine: tokens and signatures go by the time")
    : ok("clock", detail)
}
