/** Decides a batch of events with one question to the store. An event that cannot be decided spoils only itself. */
import type { HubEvent } from "../domain/event.ts"
import type { Plan } from "../domain/plan.ts"
import type { AudienceAnswer, AudienceQuery, FindAudience } from "../store/audience.ts"
import { type Decided, decideEvent, failedPlan, type PlanSettings, plan } from "./plan.ts"
import type { RuleSet } from "./rule-set.ts"

export interface BatchOptions {
  readonly settings: PlanSettings
  /** Milliseconds since the Unix epoch, for the ids that are made. */
  readonly wallMillis: number
  /** Hears of what is our own fault. */
  readonly onBug: (error: unknown) => void
  /** Lets others have a turn: a full batch takes many milliseconds. */
  readonly breathe: () => Promise<void>
}

/** So many events are decided in one go. */
const EVENTS_PER_BREATH = 20

/** One plan for each event, in order. */
export async function decideBatch(
  ruleSet: RuleSet,
  events: readonly HubEvent[],
  find: FindAudience,
  options: BatchOptions,
): Promise<readonly Plan[]> {
  const inTurn = async <T, R>(items: readonly T[], work: (item: T) => R): Promise<readonly R[]> => {
    const results: R[] = []
    for (const [i, item] of items.entries()) {
      if (i > 0 && i % EVENTS_PER_BREATH === 0) await options.breathe()
      results.push(work(item))
    }
    return results
  }
  const guarded = <T>(event: HubEvent, work: () => T): T | Plan => {
    try {
      return work()
    } catch (error) {
      options.onBug(error)
      return failedPlan(event, ruleSet, "this event cannot be decided: an error in the hub")
    }
  }
  const decided = await inTurn(events, (event) => guarded(event, () => decideEvent(ruleSet, event)))
  const questions = new Questions()
  for (const one of decided) if ("wants" in one) for (const { query } of one.wants) questions.add(query)
  const answers = await find(questions.all)
  return inTurn(decided, (one) =>
    "wants" in one ? guarded(one.event, () => planned(one, questions, answers, options)) : one,
  )
}

function planned(
  decided: Decided,
  questions: Questions,
  answers: readonly AudienceAnswer[],
  { settings, wallMillis }: BatchOptions,
): Plan {
  const own = decided.wants.map(({ query }) => {
    const answer = answers[questions.add(query)]
    if (answer === undefined) throw new Error("an audience that was asked for has no answer")
    return answer
  })
  return plan(decided, own, settings, wallMillis)
}

/** The batch's questions, each asked once: a burst of one type asks the same for every event. */
class Questions {
  readonly all: AudienceQuery[] = []
  readonly #places = new Map<string, number>()

  /** The question's place among all. */
  add(query: AudienceQuery): number {
    const key = JSON.stringify(query)
    const known = this.#places.get(key)
    if (known !== undefined) return known
    this.#places.set(key, this.all.length)
    return this.all.push(query) - 1
  }
}
