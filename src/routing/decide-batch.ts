/** Decides a batch of events with one question to each port. An event that cannot be decided spoils only itself. */
import type { HubEvent } from "../domain/event.ts"
import type { Gates } from "../domain/gates.ts"
import type { NewIds } from "../domain/ids.ts"
import type { Plan } from "../domain/plan.ts"
import type { AudienceAnswer, AudienceQuery } from "../store/audience.ts"
import type { DecisionPorts, FindDigested, Inhibitor, InhibitorQuery } from "../store/decision-ports.ts"
import { type Decided, decideEvent, failedPlan, type Prepared, planInSlices, prepareInSlices } from "./plan.ts"
import type { RuleSet } from "./rule-set.ts"
import { inSlices, type Sliced } from "./slices.ts"
import { StagedGates } from "./staged-gates.ts"
import type { PlanSettings } from "./telling.ts"

export interface BatchOptions {
  readonly settings: PlanSettings
  readonly ids: NewIds
  /** Hears of what is our own fault. */
  readonly onBug: (error: unknown) => void
  /** Lets others have a turn: a full batch takes many milliseconds. */
  readonly breathe: () => Promise<void>
}

/** So many items are worked on in one go. */
export const ITEMS_PER_BREATH = 20

/** One after the other, with breaths in between. What is the work of several slices is waited for. */
export async function inTurn<T, R>(
  items: readonly T[],
  { breathe }: Pick<BatchOptions, "breathe">,
  work: (item: T, place: number) => R | Promise<R>,
): Promise<readonly R[]> {
  const results: R[] = []
  for (const [i, item] of items.entries()) {
    if (i > 0 && i % ITEMS_PER_BREATH === 0) await breathe()
    const made = work(item, i)
    results.push(made instanceof Promise ? await made : made)
  }
  return results
}

/** One plan for each event, in order. */
export async function decideBatch(
  ruleSet: RuleSet,
  events: readonly HubEvent[],
  ports: DecisionPorts,
  options: BatchOptions,
): Promise<readonly Plan[]> {
  const guarded = <T>(event: HubEvent, work: () => T): T | Plan => {
    try {
      return work()
    } catch (error) {
      options.onBug(error)
      return failedPlan(event, ruleSet, "this event cannot be decided: an error in the hub")
    }
  }
  const guardedSlices = function* <T>(event: HubEvent, work: Sliced<T>): Sliced<T | Plan> {
    try {
      return yield* work
    } catch (error) {
      options.onBug(error)
      return failedPlan(event, ruleSet, "this event cannot be decided: an error in the hub")
    }
  }
  const sliced = <T>(event: HubEvent, work: Sliced<T>) => inSlices(guardedSlices(event, work), options.breathe)
  const decided = await inTurn(events, options, (event) => guarded(event, () => decideEvent(ruleSet, event)))
  const steps = decided.flatMap((one) => ("steps" in one ? one.steps : []))
  const inhibitions = steps.flatMap(({ inhibitedBy }) => (inhibitedBy === null ? [] : [inhibitedBy]))
  const inhibitors = await answersTo<InhibitorQuery, Inhibitor | null>(inhibitions, ports.inhibitors)
  const isFree = (query: InhibitorQuery | null): boolean => query === null || inhibitors(query) === null
  const questions = new Questions()
  for (const { want, inhibitedBy } of steps) if (want !== null && isFree(inhibitedBy)) questions.add(want.query)
  const audiences = questions.all.length === 0 ? [] : await ports.audience(questions.all)
  const prepared = await inTurn<Decided | Plan, Prepared | Plan>(decided, options, (one) =>
    "steps" in one ? sliced(one.event, prepareInSlices(one, answersFor(one, inhibitors, questions, audiences))) : one,
  )
  const fresh = ports.digested === undefined ? prepared : await undigested(prepared, ports.digested)
  const keys = new Set(fresh.flatMap((one) => ("decided" in one ? one.keys : [])))
  const gates = keys.size === 0 ? NO_GATES : await ports.gates([...keys])
  return inTurn<Prepared | Plan, Plan>(fresh, options, (one) =>
    "decided" in one ? sliced(one.decided.event, planned(one, gates, options)) : one,
  )
}

/** What was gathered when the event was routed before is in its digest: in a second one it would be told again. */
const undigested = (
  prepared: readonly (Prepared | Plan)[],
  digested: FindDigested,
): Promise<readonly (Prepared | Plan)[]> =>
  Promise.all(
    prepared.map(async (one) => {
      if (!("decided" in one) || one.gatherings.length === 0) return one
      const before = await digested(one.decided.event.id)
      const isIn = ({ origin: { taken } }: Prepared["gatherings"][number]): boolean =>
        before.some(({ rule, action }) => rule === taken.rule.name && action === taken.place)
      return { ...one, gatherings: one.gatherings.filter((gathering) => !isIn(gathering)) }
    }),
  )

/** An event whose plan fails leaves the gates as they were. */
function* planned(prepared: Prepared, gates: Gates, { settings, ids }: BatchOptions): Sliced<Plan> {
  const staged = new StagedGates(gates)
  const made = yield* planInSlices(prepared, { settings, ids, gates: staged })
  yield* staged.handOn()
  return made
}

export const NO_GATES: Gates = {
  get: () => null,
  set: () => {
    throw new Error("a gate that nobody holds")
  },
}

async function answersTo<Q, A>(queries: readonly Q[], ask: (queries: readonly Q[]) => Promise<readonly A[]>) {
  const answers = queries.length === 0 ? [] : await ask(queries)
  const places = new Map(queries.map((query, i) => [query, i]))
  return (query: Q): A => {
    const answer = answers[places.get(query) ?? -1]
    if (answer === undefined) throw new Error("a question that was asked has no answer")
    return answer
  }
}

const answersFor = (
  { steps }: Decided,
  inhibitors: (query: InhibitorQuery) => Inhibitor | null,
  questions: Questions,
  audiences: readonly AudienceAnswer[],
) => ({
  inhibitors: steps.map(({ inhibitedBy }) => (inhibitedBy === null ? null : inhibitors(inhibitedBy))),
  audiences: steps.map(({ want }) => (want === null ? null : (audiences[questions.place(want.query)] ?? null))),
})

/** A batch's questions for audiences, each asked once: a burst of one type asks the same for every event. */
export class Questions {
  readonly all: AudienceQuery[] = []
  readonly #places = new Map<string, number>()

  /** The question's place among all; asked if it was not yet. */
  add(query: AudienceQuery): number {
    const key = JSON.stringify(query)
    const known = this.#places.get(key)
    if (known !== undefined) return known
    this.#places.set(key, this.all.length)
    return this.all.push(query) - 1
  }

  /** The place of a question that was asked; -1: it was not. */
  place(query: AudienceQuery): number {
    return this.#places.get(JSON.stringify(query)) ?? -1
  }
}
