/**
 * The places in the source at which a hub may die with something half done: before and after each commit, each send and
 * each word of it. A place is a piece of a file; one that is no longer there is said so, and not passed over.
 */
import { readFileSync } from "node:fs"
import { join } from "node:path"

export interface CrashPoint {
  readonly name: string
  /** Under `src`. */
  readonly file: string
  /** A whole statement, or the beginning of one where it ends `before` it. */
  readonly at: string
  readonly side: "before" | "after"
  /** An expression of its file: whether anything is under way there. */
  readonly when?: string
  /** It is passed only by a hub that is asked to stop. */
  readonly stopping?: true
}

const point = (file: string, at: string, side: CrashPoint["side"], name: string): CrashPoint => ({
  file,
  at,
  side,
  name,
})

const ACCEPT = "const results = await accept([item.incoming], door.via)"
const INSERT = "const results = await insertOrBisect(db, incoming, clock.wall().getTime(), unheard)"
const COMMIT = 'const { command } = await client.query("commit")'
const DECIDE = "const plans = await decide(events, ports)"
const ROUTE =
  "const routed = await (alone ? routeAlone(db, suspect, decide) : routeBatch(db, this.#limit, decide, handoff))"
const ASK = "const response = await fetch(...request(url, init, signal, pin))"

export const CRASH_POINTS: readonly CrashPoint[] = [
  point("ingest/http.ts", ACCEPT, "before", "an event was read"),
  point("ingest/accept.ts", INSERT, "before", "its batch is about to be stored"),
  point("ingest/accept.ts", INSERT, "after", "the batch is committed, nobody was told"),
  point("ingest/accept.ts", "return results\n  }\n  const maxItems", "before", "the news of it is out"),
  point("ingest/http.ts", ACCEPT, "after", "committed, and not answered"),

  point("routing/router.ts", ROUTE, "before", "events are about to be claimed"),
  point("store/plans.ts", "const { events, unreadable } = opened(rows)", "before", "events are claimed"),
  point("store/plans.ts", DECIDE, "before", "about to be decided"),
  point("store/plans.ts", DECIDE, "after", "decided"),
  point("store/plans.ts", "const following = {", "before", "people who were named are stored"),
  point("store/consequences.ts", "const again = given.deliveries.some(", "before", "consequences are about to be sent"),
  point(
    "store/consequences.ts",
    "const all = deliveries === null || stored.renamed",
    "before",
    "consequences are sent",
  ),
  point("store/plans.ts", "return {\n      ...stored,", "before", "everything that follows is there, uncommitted"),
  point("store/database.ts", COMMIT, "before", "a transaction is about to commit"),
  point("store/database.ts", COMMIT, "after", "it has committed"),
  {
    ...point("store/handoff.ts", "const fresh = this.#clock.now()", "before", "committed as claimed, nobody has them"),
    when: "this.#stored.size > 0",
  },
  point("delivery/dispatcher.ts", "if (claiming.mayGo(claimed)) {", "before", "and their dispatcher has them"),
  point("routing/router.ts", ROUTE, "after", "routed, nobody was told"),
  point("routing/router.ts", "this.#report(routed, plans, clock.now() - began)", "before", "the channels were told"),

  point("store/timers.ts", "const timers = rows.map(timerFromRow)", "before", "timers are claimed"),
  point("store/timers.ts", "const fired = await fire(due,", "before", "timers are about to fire"),
  point("store/timers.ts", "const done = fired.filter(", "before", "timers have fired, nothing of it is stored"),
  point("routing/timers.ts", "await tellOf(pubsub, batch)", "before", "what they did is committed"),
  point("routing/timers.ts", "this.#report(batch, clock.now() - began)", "before", "and told"),

  {
    ...point("store/deliveries.ts", "const expired = rows.filter(", "before", "deliveries are claimed"),
    when: "rows.length > 0",
  },
  {
    ...point(
      "delivery/claiming.ts",
      "if (limits === null || wished.length === 0)",
      "before",
      "their people were asked",
    ),
    when: "wished.length > 0",
  },
  point("delivery/attempt.ts", "const { outcome, bug, ms } =", "before", "about to be tried"),
  point("delivery/send.ts", "cut.listen(giveUp)", "before", "about to be handed to its channel"),
  point("channels/provider-fetch.ts", ASK, "before", "about to ask the provider"),
  point("channels/provider-fetch.ts", ASK, "after", "the provider has answered"),
  point("delivery/attempt.ts", "held.sent = true", "before", "what was seen is known"),
  point("delivery/attempt.ts", "const written = await settler.settle(", "before", "what becomes of it is decided"),
  point("delivery/settling.ts", "return await settleMany(db, owner, items)", "before", "about to be settled"),
  point("store/deliveries.ts", "const { written = [], expired = null", "before", "it is settled"),
  point("delivery/attempt.ts", 'if (written.kind !== "settled") {', "before", "and known to be"),
  point("delivery/dispatcher.ts", "inFlight.remove(held)", "before", "about to be let go of"),
  point("delivery/dispatcher.ts", "const run = () => renewLeases(", "before", "a lease is about to be renewed"),
  point("delivery/dispatcher.ts", 'if (outcome.kind === "done") inFlight.keepOnly(', "before", "a lease was renewed"),
  point("delivery/rescuer.ts", "() => rescueExpired(db, BATCH, policyOf),", "before", "about to look for lost leases"),
  point("delivery/rescuer.ts", "const due = new Set(rescued.filter(", "before", "lost leases were taken"),

  { ...point("delivery/drain.ts", "closing = true", "after", "asked to stop"), stopping: true },
  {
    ...point("delivery/dispatcher.ts", "cutTimer?.cancel()", "before", "a stop gives back"),
    stopping: true,
  },
]

/** What the file holds instead. `die` is called there; an argument, where the place is an expression. */
export function planted({ at, side, when }: CrashPoint): readonly [from: string, to: string] {
  if (when !== undefined) return [at, `if (${when}) die(); ${at}`]
  if (at.startsWith("() =>")) return [at, at.replace("() => ", "() => (die(), ").replace(/,$/, "),")]
  return [at, side === "before" ? `die(); ${at}` : `${at}; die()`]
}

/** Those whose place has gone from the source. */
export const gone = (): readonly CrashPoint[] =>
  CRASH_POINTS.filter(({ file, at }) => !readFileSync(join(import.meta.dirname, "../src", file), "utf8").includes(at))
