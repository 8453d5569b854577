/** What a decision's sentence says of what followed: clauses for each rule, in the order of its actions. */
import type { RuleDecision } from "../domain/decision.ts"
import type { RecipientId, RuleName } from "../domain/ids.ts"
import type { Broadcast } from "../domain/plan.ts"
import type { Digest } from "../domain/rule.ts"
import type { NewTimer } from "../domain/timer.ts"
import type { Inhibitor } from "../store/decision-ports.ts"
import type { Turn } from "./fates.ts"
import type { GatheredIn } from "./gather.ts"
import { durationText } from "./language/read-duration.ts"
import type { LoadedRule } from "./rule-set.ts"
import type { Refusal } from "./telling.ts"

const MAX_SHOWN = 5

const moment = (at: number): string => new Date(at).toISOString()

export class Reasons {
  readonly #clauses = new Map<RuleName, string[]>()

  notTold(rule: LoadedRule, why: string | null): void {
    if (why !== null) this.#say(rule, why)
  }

  inhibited(rule: LoadedRule, { id, type }: Inhibitor): void {
    this.#say(rule, `inhibited by ${id} (${type})`)
  }

  delayed(rule: LoadedRule, at: number): void {
    this.#say(rule, `delayed until ${moment(at)}`)
  }

  crowd(rule: LoadedRule, people: number): void {
    this.#say(rule, `${people} people are told of it, apart from other events`)
  }

  gathered(rule: LoadedRule, { timer, count, dueAt, full }: GatheredIn, { max }: Digest): void {
    const when = full ? "full" : `told at ${moment(dueAt)} at the latest`
    this.#say(rule, `gathered in ${timer}, ${count} of ${max} events, ${when}`)
  }

  /** Who is not told, and by which word of the rule. */
  refused(rule: LoadedRule, turn: Turn, refused: ReadonlyMap<RecipientId, Refusal> | undefined): void {
    for (const [refusal, people] of Map.groupBy(refused ?? [], ([, why]) => why)) {
      this.#say(rule, `${PHRASE[refusal](turn)}: ${shown(people.map(([id]) => id))}`)
    }
    if (turn.action.mode === "shadow") this.shadow(rule)
  }

  /** The only trace of it: nobody keeps a broadcast. */
  broadcast(rule: LoadedRule, { stream, event }: Broadcast): void {
    this.#say(rule, `broadcast as ${event} to ${stream}`)
  }

  shadow(rule: LoadedRule): void {
    this.#say(rule, "shadow: nothing is sent")
  }

  /** Hands the timers through. */
  goesOn(rule: LoadedRule, timers: readonly NewTimer[]): readonly NewTimer[] {
    for (const { dueAt, until } of timers) this.#say(rule, `escalated at ${moment(dueAt)} unless ${until}`)
    return timers
  }

  /** The decisions with these clauses behind their own. */
  addTo(decisions: readonly RuleDecision[]): readonly RuleDecision[] {
    if (this.#clauses.size === 0) return decisions
    return decisions.map((decision) => {
      const clauses = this.#clauses.get(decision.rule)
      if (clauses === undefined) return decision
      const { rule, matched } = decision
      // The decision's own sentence is made when it is read, which may be never.
      return {
        rule,
        matched,
        get reason() {
          return [decision.reason, ...clauses].join("; ")
        },
        get clause() {
          return decision.reason
        },
      }
    })
  }

  #say({ name }: LoadedRule, clause: string): void {
    const clauses = this.#clauses.get(name)
    if (clauses === undefined) this.#clauses.set(name, [clause])
    else if (!clauses.includes(clause)) clauses.push(clause)
  }
}

const LATER = /^(escalated at|delayed until|gathered in) /

/** What a decision's sentence says beyond its clause, but for what is to happen later. */
export const notesOf = ({ reason, clause }: RuleDecision): readonly string[] =>
  clause === undefined || clause === reason
    ? []
    : reason
        .slice(clause.length + "; ".length)
        .split("; ")
        .filter((note) => !LATER.test(note))

const PHRASE: Readonly<Record<Refusal, (turn: Turn) => string>> = {
  cooldown: (turn) => `cooldown${limitText(turn, "cooldown")}`,
  throttled: (turn) => `throttled${limitText(turn, "throttle")}`,
  expired: () => "expired before it could be told",
}

function limitText({ action }: Turn, word: "cooldown" | "throttle"): string {
  const texts = action.limits
    .filter((limit) => limit.word === word)
    .map(({ limit, windowMs }) => `${limit} in ${durationText(windowMs)}`)
  return texts.length === 0 ? "" : ` (at most ${texts.join(" and ")})`
}

function shown(ids: readonly RecipientId[]): string {
  const more = ids.length > MAX_SHOWN ? `, and ${ids.length - MAX_SHOWN} more` : ""
  return ids.slice(0, MAX_SHOWN).join(", ") + more
}
