/** The rail of a timeline: made, each try with what the provider said, the waiting between, and what is to come. */
import { el, icon, words } from "../shared/dom.ts"
import type { Trace } from "../shared/trace.ts"
import { type Attempt, type Delivery, isUnderWay } from "./shapes.ts"
import { between, code, type Mood, outcomeSaid, receiptSaid, span } from "./words.ts"

/** Less than this nobody waits for. */
const WORTH_MS = 50

const CLOCK = new Intl.DateTimeFormat("en-GB", {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  fractionalSecondDigits: 3,
})
const DAY = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short" })
const FULL = new Intl.DateTimeFormat("en-GB", { dateStyle: "full", timeStyle: "long" })

/** The steps, oldest first. */
export function happenings(delivery: Delivery, trace: Trace | null): readonly HTMLElement[] {
  const { attempts, createdAt, replayedAt } = delivery
  const steps: HTMLElement[] = [made(delivery, trace)]
  let before = createdAt
  let replayed = replayedAt
  for (const attempt of attempts) {
    if (replayed !== null && Date.parse(replayed) <= Date.parse(attempt.startedAt)) {
      steps.push(...waited(before, replayed), sentAgain(replayed))
      before = replayed
      replayed = null
    }
    steps.push(...waited(before, attempt.startedAt), tried(attempt))
    before = attempt.finishedAt
  }
  if (replayed !== null) steps.push(...waited(before, replayed), sentAgain(replayed))
  return [...steps, ...ending(delivery)]
}

function made({ createdAt, rule }: Delivery, trace: Trace | null): HTMLElement {
  const of = trace === null ? null : el("span", {}, "of ", el("code", { dir: "auto" }, trace.event.type))
  return step(
    "off",
    "begin",
    "Made",
    clock(createdAt),
    el("p", { class: "said" }, "by the rule ", words(rule), " ", of),
  )
}

const sentAgain = (at: string): HTMLElement =>
  step(
    "wait",
    "again",
    "Sent again by an operator",
    clock(at),
    el("p", { class: "said" }, "Its history stays, and its tries are counted anew."),
  )

/** The time between two moments, where it is worth a line. */
function waited(from: string, to: string): readonly HTMLElement[] {
  const ms = between(from, to)
  return ms >= WORTH_MS ? [el("li", { class: "gap" }, `${span(ms)} waiting`)] : []
}

function tried(attempt: Attempt): HTMLElement {
  const { number, startedAt, finishedAt, reason, detail, providerMessageId, next } = attempt
  const { mood, title } = outcomeSaid(attempt)
  const took = span(between(startedAt, finishedAt))
  return step(
    mood,
    mood,
    [el("span", { class: "number" }, `Try ${number}`), " ", title],
    el(
      "span",
      { class: "at" },
      clock(startedAt),
      ` → ${time(finishedAt)}`,
      took === "" ? null : el("span", { class: "took" }, took),
    ),
    reason === null ? null : el("p", { class: "said" }, el("code", {}, reason)),
    detail === null || detail === ""
      ? null
      : el(
          "blockquote",
          { class: "provider" },
          el("span", { class: "who-said" }, saidBy(attempt)),
          el("span", { dir: "auto" }, detail),
        ),
    providerMessageId === null
      ? null
      : el("p", { class: "said" }, "Their name for it: ", el("code", {}, providerMessageId)),
    next === null
      ? null
      : el(
          "p",
          { class: "then", "data-again": String(next.again) },
          icon(next.again ? "again" : "off"),
          el("span", {}, next.sentence),
        ),
  )
}

/** Where no answer came, or none of theirs, the words are the hub's own. */
const saidBy = ({ outcome, reason }: Attempt): string =>
  outcome === "unknown" || SILENT.has(reason ?? "") ? "What the hub saw" : "The provider said"
const SILENT: ReadonlySet<string> = new Set(["timeout", "connection_lost", "unreachable", "aborted", "url_refused"])

/** What is to come, or how it ended; and what was heard of it after that. */
function ending(delivery: Delivery): readonly HTMLElement[] {
  const { status, receipt, next, attempts, settledAt, reason } = delivery
  const steps: HTMLElement[] = []
  if (isUnderWay(delivery)) {
    const title = status === "sending" ? "Being tried now" : `Try ${(attempts.at(-1)?.number ?? 0) + 1}`
    const at =
      next?.at == null
        ? null
        : el("span", { class: "at" }, el("span", { "data-until": next.at }), " · ", clock(next.at))
    const coming = step("wait", "wait", title, at)
    coming.classList.add("to-come")
    steps.push(coming)
  } else if (attempts.length === 0 || !["delivered", "captured", "dead", "unknown"].includes(status)) {
    const why = reason === null ? null : el("p", { class: "said" }, el("code", {}, reason))
    steps.push(
      step("off", "off", code(status), settledAt === null ? null : clock(settledAt), why, sentence(next?.sentence)),
    )
  }
  if (receipt !== null) {
    const { mood, title } = receiptSaid(receipt)
    steps.push(
      step(mood, mood, title, null, el("p", { class: "said" }, "The provider reported ", el("code", {}, receipt))),
    )
  }
  return steps
}

const sentence = (text: string | undefined): HTMLElement | null =>
  text === undefined || text === "" ? null : el("p", { class: "said" }, text)

function step(
  mood: Mood,
  drawing: string,
  title: string | readonly (Node | string)[],
  at: HTMLElement | null,
  ...more: readonly (HTMLElement | null)[]
): HTMLElement {
  const heading = el("h4", {})
  heading.append(...(typeof title === "string" ? [title.charAt(0).toUpperCase() + title.slice(1)] : title))
  return el(
    "li",
    { class: "step", "data-mood": mood },
    el("span", { class: "knot" }, icon(drawing)),
    el("div", { class: "step-body" }, el("div", { class: "step-top" }, heading, at), ...more),
  )
}

const time = (at: string): string => (Number.isNaN(Date.parse(at)) ? "?" : CLOCK.format(Date.parse(at)))

/** A moment to the millisecond, with its day where that is not today. */
function clock(at: string): HTMLElement {
  const then = Date.parse(at)
  if (Number.isNaN(then)) return el("span", {})
  const day = DAY.format(then)
  const today = day === DAY.format(Date.now())
  return el("time", { datetime: at, title: FULL.format(then) }, today ? time(at) : `${day} ${time(at)}`)
}
