/** What the page says, for somebody who was woken at three. */
import { type Episode, STORM } from "./episodes.ts"
import { type Actor, type ActorState, below, everybody, isWell, type Picture } from "./picture.ts"

/** How a box looks and what it is called: its state, or that it crashes faster than states can be read. */
export type Look = ActorState | "crashing" | "away"

/** `lately`: crashes in the last ten seconds. */
export const lookOf = (actor: Actor, lately: number): Look =>
  actor.away ? "away" : lately >= STORM ? "crashing" : actor.state

export const LOOK_WORDS: Readonly<Record<Look, string>> = {
  starting: "starting",
  running: "running",
  stopping: "stopping",
  stopped: "stopped",
  backoff: "waiting",
  ignored: "not needed",
  crashing: "crashing",
  away: "down",
}

export const LOOK_SENTENCES: Readonly<Record<Look, string>> = {
  starting: "It is starting.",
  running: "It is running.",
  stopping: "It was asked to stop and is finishing what it has in hand.",
  stopped: "It has ended and stays so until somebody starts it.",
  backoff: "It could not go on, and waits a while before it is started again.",
  ignored: "It found nothing to do here and did not start. That is fine.",
  crashing: "It crashes again and again, and is started anew each time.",
  away: "Its supervisor is down, and it with it. It comes back with its supervisor.",
}

const COUNT = new Intl.NumberFormat("en")
export const figure = (value: number): string => COUNT.format(value)
const SHORT = new Intl.NumberFormat("en", { notation: "compact" })
/** `1.3K`, where there is little room. */
export const shortFigure = (value: number): string => SHORT.format(value)
export const counted = (count: number, one: string, many = `${one}s`): string =>
  `${figure(count)} ${count === 1 ? one : many}`

/** `idle`, `0.5/s`, `12/s`. */
export function rate(perSecond: number): string {
  if (perSecond <= 0) return "idle"
  return `${figure(perSecond < 9.95 ? Math.max(0.1, Math.round(perSecond * 10) / 10) : Math.round(perSecond))}/s`
}

/** `850 ms`, `12 s`, `3 min`, `2 h`. */
export function duration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`
  if (ms < 120_000) return `${Math.floor(ms / 1_000)} s`
  return ms < 7_200_000 ? `${Math.floor(ms / 60_000)} min` : `${Math.floor(ms / 3_600_000)} h`
}

const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" })
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" })

/** Local time; with the day when that was not today. */
export function clock(at: number, now: number): string {
  const [then, today] = [new Date(at), new Date(now)]
  return then.toDateString() === today.toDateString()
    ? CLOCK.format(then)
    : `${DAY.format(then)}, ${CLOCK.format(then)}`
}

export interface Moment {
  readonly at: number
  readonly said: string
}

/** Newest first; what is said several times in a row stands once, with its times: a storm says ten times the same. */
export function folded(
  moments: readonly Moment[],
  now: number,
): readonly { readonly times: string; readonly said: string }[] {
  const groups: { said: string; counts: Map<string, number> }[] = []
  for (const { at, said } of moments.toReversed()) {
    const last = groups.at(-1)
    const counts = last?.said === said ? last.counts : new Map<string, number>()
    if (last?.counts !== counts) groups.push({ said, counts })
    const time = clock(at, now)
    counts.set(time, (counts.get(time) ?? 0) + 1)
  }
  return groups.map(({ said, counts }) => ({
    said,
    times: [...counts].map(([time, count]) => (count === 1 ? time : `${time} (${count}×)`)).join(", "),
  }))
}

const REASONS: ReadonlyMap<string, string> = new Map([
  ["normal", "it ended by itself"],
  ["shutdown", "it was shut down"],
  ["killed", "it did not stop in time and was abandoned"],
  ["timeout", "it took too long"],
  ["error", "an error"],
  ["failed_to_start", "it could not start"],
  ["noproc", "an actor that it depends on was not there"],
])

const GAVE_UP = /more than (\d+) restarts in (\d+) ms, last of (.+)$/

/** Why something ended; the hub's own detail says it best where there is one. */
export function why(reason: string, detail: string | null): string {
  const [, times, ms, last] = GAVE_UP.exec(detail ?? "") ?? []
  if (last !== undefined) return `more than ${times} restarts in ${duration(Number(ms))}, the last of ${last}`
  if (detail !== null) return detail
  return REASONS.get(reason) ?? reason.replaceAll("_", " ")
}

/** `crashed 240 times in the last 10 s`, and what followed. */
export function episodeWords(episode: Episode): string {
  const { count, lately, over } = episode
  // A supervisor does not crash: it runs out of restarts.
  const verb = GAVE_UP.test(episode.detail ?? "") ? "gave up" : "crashed"
  const since = over ? ` over ${duration(Math.max(1_000, episode.to - episode.from))}` : ""
  switch (episode.what) {
    case "down":
      return episode.well ? "was down" : "is down"
    case "restarted":
      return "was started anew"
    case "crashed":
      if (count === 1) return verb
      if (!over && lately > 1 && lately === count) return `${verb} ${figure(count)} times in the last 10 s`
      if (!over && lately > 1) return `${verb} ${figure(lately)} times in the last 10 s, ${figure(count)} in all`
      return `${verb} ${figure(count)} times${since}`
  }
}

/** How an episode's actor is now, in two words. */
export function episodeEnd(episode: Episode, look: Look | undefined): string {
  if (look === undefined) return "gone"
  if (look === "running") return episode.over ? "fine again" : "running again"
  return LOOK_WORDS[look]
}

/** One line of the summary. `tone` chooses its mark. */
export interface Saying {
  readonly tone: "good" | "warn" | "bad"
  readonly head: string
  readonly said: string
}

/** How everybody is. */
export function actorsSaying(picture: Picture, crashing: readonly Actor[]): Saying {
  const people = [...everybody(picture.tree).values()]
  const total = 1 + below(picture.tree)
  const stormy = new Set(crashing.map(({ id }) => id))
  const away = people.filter((actor) => actor.away).length
  const unwell = people.filter((actor) => !actor.away && (!isWell(actor.state) || stormy.has(actor.id)))
  const fine = `${figure(total - away - unwell.length)} others are fine`
  const named = (those: readonly Actor[]): string =>
    those.length > 3
      ? `${those
          .slice(0, 2)
          .map(({ name }) => name)
          .join(", ")} and ${figure(those.length - 2)} more`
      : those.map(({ name }) => name).join(", ")
  const some = (those: readonly Actor[], one: string, many: string): Pick<Saying, "head" | "said"> =>
    those.length === 1
      ? { head: `${those[0]?.name} ${one}`, said: fine }
      : { head: `${figure(those.length)} actors ${many}`, said: `${named(those)}; ${fine}` }
  if (crashing.length > 0) return { tone: "bad", ...some(crashing, "keeps crashing", "keep crashing") }
  if (unwell.length === 0) return { tone: "good", head: "Everything runs", said: counted(total, "actor") }
  const gone = unwell.some(({ state }) => state === "stopped")
  return { tone: gone ? "bad" : "warn", ...some(unwell, "is not running", "are not running") }
}

const LOST: ReadonlyMap<string, string> = new Map([
  ["exit", "its actor ended first"],
  ["overflow", "the mailbox was full"],
  ["down", "nobody was there"],
  ["fenced", "the sender was replaced"],
])

export const lostBecause = (reason: string): string => LOST.get(reason) ?? reason

/** Dead letters are counted for ever: after this long they are no news. */
const OLD_MS = 600_000

/** Messages that reached nobody. */
export function lettersSaying(picture: Picture, now: number): Saying {
  const { count, recent } = picture.deadLetters
  if (count === 0) return { tone: "good", head: "No internal message lost", said: "notifications wait in the database" }
  const last = recent.at(-1)
  if (last !== undefined && now - last.at >= OLD_MS)
    return {
      tone: "good",
      head: "No internal message lost lately",
      said: `${figure(count)} before ${clock(last.at, now)}`,
    }
  const said =
    last === undefined
      ? "since the start"
      : `last ${clock(last.at, now)}, for ${everybody(picture.tree).get(last.to)?.name ?? last.to}`
  return { tone: "warn", head: `${counted(count, "internal message")} reached nobody`, said }
}

/** Work that was given up on and still runs. */
export function stuckSaying(picture: Picture): Saying {
  const { stuck } = picture
  if (stuck === 0) return { tone: "good", head: "Nothing is stuck", said: "all work ends in time" }
  const head = stuck === 1 ? "1 piece of work never ended" : `${figure(stuck)} pieces of work never ended`
  return { tone: "bad", head, said: "given up on; if this grows, restart the hub" }
}

/** Why this one is not to be restarted from here, or null. */
export function whyNoRestart(actor: Actor, picture: Picture): string | null {
  if (actor.id === picture.tree.id) return "The root cannot be restarted from inside: restart the hub’s process."
  return actor.away ? "It cannot be restarted while its supervisor is down: restart that one." : null
}

/** What restarting this one means, before it is done. */
export function restartMeans(actor: Actor): readonly string[] {
  const depth = actor.mailbox?.depth ?? 0
  const under = below(actor)
  const them = under === 1 ? "The 1 actor below it" : `The ${figure(under)} actors below it`
  return [
    "This stops it and starts it anew. Its siblings are not touched.",
    ...(under === 0
      ? []
      : actor.type === "pool"
        ? [`${them} stop with it and come back as they are needed.`]
        : [`${them} ${under === 1 ? "restarts" : "restart"} too.`]),
    ...(depth === 0 ? [] : [`${counted(depth, "message")} waiting in its mailbox will not be handled.`]),
  ]
}
