/**
 * What a change of the rules would have done: recorded events are decided under two rule sets side by side, each by a hub
 * in memory on a clock that stands where the events were accepted, and the differences are counted. Nothing is sent and no
 * words are made. The same events, people and sets give the same report.
 *
 * Decided: people are as they are now. What an event leads to later (delays, digests, escalations, quiet hours) is
 * followed to its end, however long after the last event that is. Every send succeeds, and Slack counts as reachable. Whoever
 * reacted to a message is taken to do so again at the same moment, under both sets, where the same rule has told the
 * same person of the same event by then.
 */
import type { HubEvent } from "../../domain/event.ts"
import type { EventId, RuleName } from "../../domain/ids.ts"
import type { Plan } from "../../domain/plan.ts"
import type { Recorded, RecordedReaction } from "../../store/replay.ts"
import { eventTypeFits } from "../event-pattern.ts"
import type { RuleSet } from "../rule-set.ts"
import { Agenda } from "../world/agenda.ts"
import type { MemoryPerson } from "../world/memory-audience.ts"
import { World } from "../world/world.ts"
import { countsOf, type Report, type RuleChange, ruleChange } from "./backtest-report.ts"
import { Tally } from "./backtest-tally.ts"

/** Recorded events, in the order of acceptance, with the reactions to what was told of them. */
export interface RecordedPage {
  readonly events: readonly Recorded[]
  readonly reactions: readonly RecordedReaction[]
}

export interface BacktestOptions {
  readonly base: RuleSet
  readonly head: RuleSet
  readonly people: readonly MemoryPerson[]
  readonly pages: AsyncIterable<RecordedPage>
  /** So many examples of each sort. */
  readonly examples: number
  /** No more events than these; null: all. */
  readonly limit: number | null
  /** Hears after each page how far it is: when the last event was accepted, and how many there were. */
  readonly progress?: (at: number, events: number) => void
}

const SETTINGS = { publicUrl: "", defaultSlack: true, render: false } as const

/** Decides all events under both sets. */
export async function backtest(options: BacktestOptions): Promise<Report> {
  const run = new Run(options)
  for await (const page of options.pages) if (!(await run.take(page))) break
  return run.finish()
}

/** One of the two. */
class Side {
  readonly ruleSet: RuleSet
  readonly world: World
  readonly #tallies = new Map<RuleName, Tally>()
  /** Events that could not be decided at all. */
  failed = 0

  constructor(ruleSet: RuleSet, people: readonly MemoryPerson[]) {
    this.ruleSet = ruleSet
    for (const rule of ruleSet.rules) this.#tallies.set(rule.name, new Tally(rule))
    this.world = new World({
      ruleSet,
      people,
      settings: SETTINGS,
      remember: false,
      watch: {
        planned: (plan) => this.#planned(plan),
        fired: ({ timer, notifications, failures }) => {
          const tally = this.#tallies.get(timer.rule)
          for (const notification of notifications) tally?.notification(notification)
          if (failures.length > 0) tally?.failure()
        },
        settled: (held, people) => this.#tallies.get(held.delivery.rule)?.settled(held, people),
      },
    })
  }

  tally(rule: RuleName): Tally | null {
    return this.#tallies.get(rule) ?? null
  }

  #planned({ decisions, failures, notifications, broadcasts }: Plan): void {
    for (const decision of decisions) if (decision.matched) this.#tallies.get(decision.rule)?.matches(decision)
    for (const rule of new Set(failures.map((failure) => failure.rule))) {
      if (rule === null) this.failed += 1
      else this.#tallies.get(rule)?.failure()
    }
    for (const notification of notifications) this.#tallies.get(notification.rule)?.notification(notification)
    for (const { rule } of broadcasts) this.#tallies.get(rule)?.broadcast()
  }
}

interface Turned {
  added: number
  removed: number
  readonly examples: { readonly added: Example[]; readonly removed: Example[] }
}

export interface Example {
  readonly event: EventId
  readonly type: string
  /** What decided, with the values it saw. */
  readonly before: string
  readonly after: string
}

class Run {
  readonly #options: BacktestOptions
  readonly #base: Side
  readonly #head: Side
  readonly #turned = new Map<RuleName, Turned>()
  readonly #reactions = new Agenda<RecordedReaction>()
  #replayed = 0
  #unreadable = 0
  #late = 0
  #first: number | null = null
  #last: number | null = null
  #cut = false

  constructor(options: BacktestOptions) {
    this.#options = options
    this.#base = new Side(options.base, options.people)
    this.#head = new Side(options.head, options.people)
  }

  /** False: no more are wanted. */
  async take({ events, reactions }: RecordedPage): Promise<boolean> {
    for (const reaction of reactions) this.#reactions.add(reaction.at, reaction)
    for (const one of events) {
      if (this.#options.limit !== null && this.#replayed >= this.#options.limit) {
        this.#cut = true
        return false
      }
      await this.#one(one)
    }
    if (this.#last !== null) this.#options.progress?.(this.#last, this.#replayed)
    return true
  }

  async #one(one: Recorded): Promise<void> {
    if ("problem" in one) {
      this.#unreadable += 1
      return
    }
    const { event } = one
    if (this.#last !== null && event.acceptedAt < this.#last) {
      this.#late += 1
      return
    }
    this.#first ??= event.acceptedAt
    this.#last = event.acceptedAt
    this.#replayed += 1
    await this.#react(event.acceptedAt)
    const before = await this.#base.world.accept(event)
    const after = await this.#head.world.accept(event)
    this.#compare(event, before, after)
  }

  /** Whoever reacts in the moment of an event has not seen it yet. */
  async #react(until: number): Promise<void> {
    for (let at = this.#reactions.next; at !== null && at < until; at = this.#reactions.next) {
      const made = this.#reactions.take()
      if (made === null) return
      for (const { world } of [this.#base, this.#head]) {
        await world.advance(at)
        world.reactOf(made.event, made.rule, made.recipient, made.reaction)
      }
    }
  }

  #compare(event: HubEvent, before: Plan, after: Plan): void {
    const then = matchedBy(before)
    const now = matchedBy(after)
    for (const rule of now) if (!then.has(rule)) this.#turn(rule, "added", event, before, after)
    for (const rule of then) if (!now.has(rule)) this.#turn(rule, "removed", event, before, after)
  }

  #turn(rule: RuleName, way: "added" | "removed", event: HubEvent, before: Plan, after: Plan): void {
    let turned = this.#turned.get(rule)
    if (turned === undefined) {
      turned = { added: 0, removed: 0, examples: { added: [], removed: [] } }
      this.#turned.set(rule, turned)
    }
    turned[way] += 1
    if (turned.examples[way].length >= this.#options.examples) return
    turned.examples[way].push({
      event: event.id,
      type: event.type,
      before: clauseOf(rule, event, before, this.#options.base),
      after: clauseOf(rule, event, after, this.#options.head),
    })
  }

  async finish(): Promise<Report> {
    await this.#react(Number.POSITIVE_INFINITY)
    for (const { world } of [this.#base, this.#head]) await world.advance(Number.POSITIVE_INFINITY)
    const { base, head, people, examples } = this.#options
    const names = [...new Set([...base.rules, ...head.rules].map(({ name }) => name))].sort()
    const rules = names.map((name): RuleChange => {
      const turned = this.#turned.get(name)
      return ruleChange(name, this.#base.tally(name), this.#head.tally(name), {
        added: turned?.added ?? 0,
        removed: turned?.removed ?? 0,
        addedExamples: turned?.examples.added ?? [],
        removedExamples: turned?.examples.removed ?? [],
        most: examples,
      })
    })
    return {
      base: { revision: base.revision, rules: base.rules.length },
      head: { revision: head.revision, rules: head.rules.length },
      events: {
        replayed: this.#replayed,
        unreadable: this.#unreadable,
        out_of_order: this.#late,
        limited: this.#cut,
        undecided: { before: this.#base.failed, after: this.#head.failed },
        first_accepted_at: timeText(this.#first),
        last_accepted_at: timeText(this.#last),
      },
      recipients: people.length,
      different: rules.some(({ different }) => different) || this.#base.failed !== this.#head.failed,
      messages: countsOf(rules.map(({ messages }) => messages)),
      rules,
    }
  }
}

const timeText = (at: number | null): string | null => (at === null ? null : new Date(at).toISOString())

const matchedBy = ({ decisions }: Plan): ReadonlySet<RuleName> =>
  new Set(decisions.flatMap(({ rule, matched }) => (matched ? [rule] : [])))

/** Of the evaluation that decided. */
function clauseOf(rule: RuleName, { type }: HubEvent, { decisions, failures }: Plan, { rules }: RuleSet): string {
  const decision = decisions.find((one) => one.rule === rule)
  if (decision !== undefined) return decision.clause ?? decision.reason
  const failed = failures.find((failure) => failure.rule === null)
  if (failed !== undefined) return failed.reason
  const there = rules.find(({ name }) => name === rule)
  if (there === undefined) return "there is no such rule"
  const fits = there.eventTypes.some((pattern) => eventTypeFits(pattern, type))
  return fits ? "was not decided" : `the event type does not fit ${there.eventTypes.join(", ")}`
}
