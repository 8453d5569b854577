// What was sent when: the one list that the stories write into, and the Basra branch's broken line.
import { between, pick } from "./chance.ts"
import { type Meant, type Request, type Spelling, spell } from "./spellings.ts"

type Sending = { at: number; request: Request }

export const SECOND = 1000
export const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const MIDNIGHT = Date.parse("2026-03-02T00:00:00+03:00")
export const END = MIDNIGHT + 24 * HOUR

export const at = (hour: number, minute = 0): number => MIDNIGHT + hour * HOUR + minute * MINUTE
/** A moment from `from` up to `to`, to the second. */
export const moment = (from: number, to: number): number => between(from / SECOND, to / SECOND - 1) * SECOND

export const sendings: Sending[] = []
/** What was sent, so that a repeat may be spelled another way. */
const meantBy = new Map<Sending, Meant>()

/** The Basra branch's line was down from 09:00 to 13:10: what happened meanwhile was sent when it came back. */
const arrival = (meant: Meant): number => {
  const down = meant.location === "basra" && meant.occurredAt >= at(9) && meant.occurredAt < at(13, 10)
  return down ? at(13, 10) + between(0, 14 * 60) * SECOND : meant.occurredAt + between(0, 3) * SECOND
}

/** Spells and queues an event; one that would be sent after midnight is tomorrow's. Says whether it was queued. */
export function send(meant: Meant, spelling: Spelling): boolean {
  const when = arrival(meant)
  if (when >= END) return false
  const sending = { at: when, request: spell(meant, spelling) }
  sendings.push(sending)
  meantBy.set(sending, meant)
  return true
}

/** Producers that got no answer ask again, seconds to minutes later; a few through a newer client that spells it otherwise. */
export function repeats(count: number): void {
  const originals = [...sendings]
  for (let i = 0; i < count; i++) {
    const original = pick(originals)
    const when = original.at + between(1, 900) * SECOND
    if (when >= END) continue
    const meant = meantBy.get(original)
    const respelled = meant !== undefined && i % 20 === 0
    sendings.push({ at: when, request: respelled ? spell(meant, "canonical") : original.request })
  }
  // The sales module's queue was restarted at 15:30 and sent its last twenty again.
  const sales = originals.filter((s) => meantBy.get(s)?.source === "sales" && s.at < at(15, 30))
  const last = sales.sort((a, b) => a.at - b.at).slice(-20)
  for (const [i, original] of last.entries()) sendings.push({ at: at(15, 30) + i * 200, request: original.request })
}
