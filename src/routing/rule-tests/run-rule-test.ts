/** Runs one test in a world of its own and says what of its expectations does not hold, and why. */
import type { NewDelivery } from "../../domain/delivery.ts"
import type { HubEvent } from "../../domain/event.ts"
import type { Fired } from "../../domain/firing.ts"
import type { EventId } from "../../domain/ids.ts"
import type { Plan } from "../../domain/plan.ts"
import type { RuleSet } from "../rule-set.ts"
import { World } from "../world/world.ts"
import { type Difference, differences, expectedText, tellingText } from "./expectations.ts"
import type { Check, Expected, FateOfSending, Reaction, RuleTest, TestEvent, TestPlace, TestStep } from "./rule-test.ts"
import { type Telling, tellingsOf } from "./told.ts"

export interface TestFailure {
  readonly place: TestPlace
  readonly problem: string
  /** The telling that comes nearest to what was expected, and where it differs; null: there is none. */
  readonly nearest: { readonly telling: string; readonly differences: readonly Difference[] } | null
  /** Sentences: what was decided, and on which values. */
  readonly why: readonly string[]
}

export interface TestResult {
  readonly test: RuleTest
  /** Empty: it passed. */
  readonly failures: readonly TestFailure[]
}

/** Sees what happened when a test is over. */
export type Onlooker = (world: World, plans: readonly Plan[]) => void

/** Neither the hub's address nor its accounts are part of what rules say. */
const SETTINGS = { publicUrl: "https://hub.example", defaultSlack: false }

/** Throws only for what is the hub's own mistake. */
export async function runRuleTest(ruleSet: RuleSet, test: RuleTest, onlooker?: Onlooker): Promise<TestResult> {
  const run = new Run(ruleSet, test)
  const failures = await run.all()
  onlooker?.(run.world, run.plans)
  return { test, failures }
}

class Run {
  readonly world: World
  readonly plans: Plan[] = []
  readonly #fired: Fired[] = []
  readonly #ruleSet: RuleSet
  readonly #test: RuleTest
  readonly #fates = new Map<NewDelivery["channel"], FateOfSending>()
  readonly #events = new Map<EventId, { readonly event: HubEvent; readonly place: number }>()
  /** Tellings that a check has looked at. */
  readonly #looked = new Set<string>()
  /** Failures of rules that some expectation names. */
  readonly #foreseen = new Set<string>()
  /** Plans of events since the last check begin here. */
  #since = 0

  constructor(ruleSet: RuleSet, test: RuleTest) {
    this.#ruleSet = ruleSet
    this.#test = test
    this.world = new World({
      ruleSet,
      people: test.people,
      settings: SETTINGS,
      send: ({ channel }) => SENT[this.#fates.get(channel) ?? "delivered"],
      watch: { fired: (fired) => this.#fired.push(fired) },
    })
  }

  async all(): Promise<readonly TestFailure[]> {
    await this.world.advance(this.#test.at)
    const failures: TestFailure[] = []
    for (const step of this.#test.steps) failures.push(...(await this.#step(step)))
    return [...failures, ...this.#unforeseen()]
  }

  async #step(step: TestStep): Promise<readonly TestFailure[]> {
    const failures: TestFailure[] = []
    for (const [channel, fate] of step.fates) this.#fates.set(channel, fate)
    for (const event of step.events) failures.push(...(await this.#come(event)))
    if (step.acknowledge !== null) failures.push(...this.#react(step.acknowledge, "acknowledge"))
    if (step.read !== null) failures.push(...this.#react(step.read, "read"))
    if (step.advanceMs !== null) await this.world.advance(this.world.now + step.advanceMs)
    if (step.check !== null) failures.push(...this.#check(step.check))
    return failures
  }

  async #come({ event, comes, at: place }: TestEvent): Promise<readonly TestFailure[]> {
    const acceptedAt = "at" in comes ? comes.at : this.world.now + comes.afterMs
    if (acceptedAt < this.world.now) {
      return [plain(place, `an event at ${moment(acceptedAt)}, when it is ${moment(this.world.now)} already`)]
    }
    const id = this.world.ids.event()
    const whole = { ...event, id, acceptedAt, occurredAt: event.occurredAt ?? acceptedAt }
    this.#events.set(id, { event: whole, place: this.#events.size + 1 })
    this.plans.push(await this.world.accept(whole))
    return []
  }

  #react({ rule, by, at: place }: Reaction, word: "acknowledge" | "read"): readonly TestFailure[] {
    const held = this.world.notifications.findLast(
      ({ notification }) => notification.rule === rule && notification.recipient === by,
    )
    if (held !== undefined && this.world[word](held.notification.id)) return []
    return [{ ...plain(place, `${by} has nothing of ${rule} to ${word}`), why: this.#why(rule, 0) }]
  }

  #check({ expect, not, nothingElse, at }: Check): readonly TestFailure[] {
    const all = this.#tellings()
    const fresh = all.filter(({ key }) => !this.#looked.has(key))
    const named = new Set<Telling>()
    const failures = [
      ...expect.flatMap((expected) => this.#unmet(expected, fresh, named)),
      ...not.flatMap((unwanted) => this.#told(unwanted, fresh)),
      ...(nothingElse ? fresh.filter((one) => REACHES.has(one.status) && !named.has(one)) : []).map((one) => ({
        ...plain(at, `nothing else is expected, and there was ${tellingText(one)}`),
        why: one.rule === null ? [] : this.#why(one.rule, this.#since),
      })),
    ]
    for (const { key } of all) this.#looked.add(key)
    this.#since = this.plans.length
    return failures
  }

  #tellings(): readonly Telling[] {
    return tellingsOf(this.world, { plans: this.plans, fired: this.#fired }, this.#ruleSet)
  }

  #differences(expected: Expected, telling: Telling): readonly Difference[] {
    return differences(expected, telling, this.#events.get(telling.event)?.event.acceptedAt ?? telling.at)
  }

  #unmet(expected: Expected, tellings: readonly Telling[], named: Set<Telling>): readonly TestFailure[] {
    const compared = tellings.map((telling) => ({ telling, found: this.#differences(expected, telling) }))
    const fitting = compared.filter(({ found }) => found.length === 0).map(({ telling }) => telling)
    for (const telling of fitting) {
      named.add(telling)
      if (telling.status === "failed") this.#foreseen.add(telling.key)
    }
    const { count, rule, place } = expected
    if (count === null ? fitting.length > 0 : fitting.length === count) return []
    const problem = `expected ${expectedText(expected)}`
    if (fitting.length > 0) {
      const why = fitting.map(tellingText)
      return [{ ...plain(place, `${problem}; there were ${fitting.length}`), why }]
    }
    const [best] = compared.toSorted((a, b) => far(a.found) - far(b.found))
    const nearest = best === undefined ? null : { telling: tellingText(best.telling), differences: best.found }
    const asked = rule ?? best?.telling.rule ?? null
    return [{ place, problem, nearest, why: asked === null ? this.#everything() : this.#why(asked, this.#since) }]
  }

  #told(unwanted: Expected, tellings: readonly Telling[]): readonly TestFailure[] {
    const fitting = tellings.filter((telling) => this.#differences(unwanted, telling).length === 0)
    const { count, place } = unwanted
    if (count === null ? fitting.length === 0 : fitting.length !== count) return []
    const [first] = fitting
    return [
      {
        place,
        problem: `not expected: ${expectedText(unwanted)}`,
        nearest: first === undefined ? null : { telling: tellingText(first), differences: [] },
        why: first === undefined || first.rule === null ? [] : this.#why(first.rule, this.#since),
      },
    ]
  }

  /** What was decided about a rule since a place among the plans, and what of it is still to happen. */
  #why(rule: string, since: number): readonly string[] {
    const plans = this.plans.slice(since)
    const decided = plans.flatMap(({ event, decisions }) => {
      const decision = decisions.find((one) => one.rule === rule)
      const said = decision === undefined ? "its event type does not fit" : decision.reason
      const verb = decision?.matched === true ? "matched" : "did not match"
      return [`${rule} ${verb} ${this.#named(event)}: ${said}`]
    })
    const notTold = this.#tellings()
      .filter((telling) => telling.rule === rule && !REACHES.has(telling.status) && !this.#looked.has(telling.key))
      .map(tellingText)
    const waiting = this.world.timers
      .filter(({ timer, outcome }) => timer.rule === rule && outcome === null)
      .map(
        ({ timer }) => `${rule} waits: ${timer.kind}, due at ${moment(timer.dueAt)}; it is ${moment(this.world.now)}`,
      )
    if (plans.length === 0 && waiting.length === 0) return [`no event came since the last expectation`]
    return [...new Set([...decided, ...notTold, ...waiting])].slice(0, MAX_REASONS)
  }

  /** Where no rule is named: of all that were asked. */
  #everything(): readonly string[] {
    const plans = this.plans.slice(this.#since)
    const rules = new Set(plans.flatMap(({ decisions }) => decisions.map(({ rule }) => rule)))
    if (rules.size > 0) return [...rules].flatMap((rule) => this.#why(rule, this.#since)).slice(0, MAX_REASONS)
    return plans.map(({ event }) => `no rule has an event type that fits ${this.#named(event)}`).slice(0, MAX_REASONS)
  }

  #named({ id, type }: HubEvent): string {
    return `event ${this.#events.get(id)?.place ?? "?"} (${type})`
  }

  /** A rule that cannot be carried out is never as meant, unless the test says so. */
  #unforeseen(): readonly TestFailure[] {
    return this.#tellings()
      .filter(({ status, key }) => status === "failed" && !this.#foreseen.has(key))
      .map(({ rule, reason, event }) => {
        const about = this.#events.get(event)?.event
        const of = about === undefined ? "" : ` of ${this.#named(about)}`
        return plain(this.#test, `${rule ?? "the hub"} could not be carried out${of}: ${reason}`)
      })
  }
}

const SENT = { delivered: "delivered", rejected: "dead", unknown: "unknown" } as const

/** Somebody was reached, or is to be. */
const REACHES: ReadonlySet<Telling["status"]> = new Set(["delivered", "unknown", "scheduled"])
const MAX_REASONS = 10

/** Whom and which rule a telling is about tells more of its nearness than its words. */
const far = (found: readonly Difference[]): number =>
  found.reduce((sum, { field }) => sum + (field === "rule" ? 20 : field === "to" ? 10 : 1), 0)

const moment = (at: number): string => new Date(at).toISOString()
const plain = ({ file, line, column }: TestPlace, problem: string): TestFailure => ({
  place: { file, line, column },
  problem,
  nearest: null,
  why: [],
})
