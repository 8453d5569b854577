/**
 * Preloaded into a hub process (`bun --preload`): its Slack dispatcher has a bug that every message meets, for as long as
 * the file CRASH_WHILE exists. With CRASH_EVERY_MS its channel rests no longer than that, so that it crashes as often as
 * no real one may.
 */
import { existsSync } from "node:fs"
import { InFlight } from "../delivery/in-flight.ts"
import { Intensity } from "../runtime/intensity.ts"
import { Slot } from "../runtime/slot.ts"

const file = process.env["CRASH_WHILE"] ?? ""
const everyMs = Number(process.env["CRASH_EVERY_MS"] ?? 0)

const add = InFlight.prototype.add
InFlight.prototype.add = function (held) {
  if (held.claimed.channel === "slack" && existsSync(file)) throw new TypeError("a bug that every message meets")
  add.call(this, held)
}

if (everyMs > 0) {
  // Of the channels' supervisors, which are the only ones with this budget: each crash is one too many.
  const allow = Intensity.prototype.allow
  Intensity.prototype.allow = function (now) {
    return this.limit === 3 ? false : allow.call(this, now)
  }
  const nextDelay = Slot.prototype.nextDelay
  let due = 0
  Slot.prototype.nextDelay = function (backoff, now, random) {
    if (this.spec.id !== "channel:slack") return nextDelay.call(this, backoff, now, random)
    // A claim takes its time too: what a round was late, the next ones are early.
    due = Math.max(due + everyMs, now - 1_000)
    return Math.max(0, due - now)
  }
}
