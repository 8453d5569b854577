/** Decides a batch of timers that are due. A timer that cannot be decided spoils only itself. */
import type { HubEvent } from "../domain/event.ts"
import { type DueTimer, type Fired, nothingFrom } from "../domain/firing.ts"
import type { Gates } from "../domain/gates.ts"
import type { RecipientId, TimerId } from "../domain/ids.ts"
import type { NewTimer } from "../domain/timer.ts"
import type { FiringPorts } from "../store/decision-ports.ts"
import { type BatchOptions, inTurn, NO_GATES, Questions } from "./decide-batch.ts"
import { type Aimed, type Asked, aimInSlices, ask, begin, type Firing, fireInSlices, isFirst } from "./fire.ts"
import type { RuleSet } from "./rule-set.ts"
import { eachInSlices, inSlices, LIGHT, type Sliced } from "./slices.ts"
import { StagedGates } from "./staged-gates.ts"
import type { Kept } from "./telling.ts"

/** The rules that a timer was made under, or those that have taken their place; null: neither can be had. */
export type RulesOfTimer = (timer: NewTimer) => RuleSet | null

export interface FiringOptions extends BatchOptions {
  /** What first tells more people than that is told apart, by another firing. Absent: at once. */
  readonly crowd?: number
}

/** What follows from each timer, in order. */
export async function fireBatch(
  due: readonly DueTimer[],
  rulesOf: RulesOfTimer,
  ports: FiringPorts,
  options: FiringOptions,
): Promise<readonly Fired[]> {
  const guarded = <T>(timer: NewTimer, work: () => T): T | Fired => {
    try {
      return work()
    } catch (error) {
      options.onBug(error)
      return nothingFrom(timer, "failed")
    }
  }
  const digests = await closeDigests(due, ports)
  const begun = await inTurn(due, options, (one) => guarded(one.timer, () => begin(one, rulesOf(one.timer))))
  const asked = await inTurn(begun, options, (one) =>
    isFired(one) ? one : guarded(one.due.timer, () => ask(one, eventsOf(one, digests))),
  )
  const questions = new Questions()
  for (const one of asked) if (!isFired(one)) for (const { query } of one.wants) questions.add(query)
  const answers = questions.all.length === 0 ? [] : await ports.audience(questions.all)
  const answersOf = ({ wants }: Asked) =>
    wants.map(({ query }) => {
      const answer = answers[questions.place(query)]
      if (answer === undefined) throw new Error("an audience that was asked for has no answer")
      return answer
    })
  const aiming = function* (one: Asked): Sliced<Aimed | Fired> {
    const { timer } = one.firing.due
    try {
      const made = yield* aimInSlices(one, answersOf(one))
      return isFirst(one.firing) && timer.step === 0 && peopleIn(made) > (options.crowd ?? Number.POSITIVE_INFINITY)
        ? nothingFrom(timer, "apart")
        : made
    } catch (error) {
      options.onBug(error)
      return nothingFrom(timer, "failed")
    }
  }
  const aimed = await inTurn<Asked | Fired, Aimed | Fired>(asked, options, (one) =>
    isFired(one) ? one : inSlices(aiming(one), options.breathe),
  )
  const keys = aimed.flatMap((one) => (isFired(one) ? [] : one.keys))
  const gates = keys.length === 0 ? NO_GATES : await ports.gates(keys)
  const told = new ToldSoFar()
  return inTurn<Aimed | Fired, Fired>(aimed, options, (one) =>
    isFired(one) ? one : inSlices(fired(one, gates, told, options), options.breathe),
  )
}

const peopleIn = ({ groups }: Aimed): number =>
  groups.reduce((sum, { turns }) => sum + turns.reduce((all, { people }) => all + people.length, 0), 0)

const isFired = (one: Firing | Asked | Aimed | Fired): one is Fired => "outcome" in one

/**
 * The events of the digests that are due. Their gates are held before they are read and take no more: an event that is
 * routed from now on opens another digest.
 */
async function closeDigests(
  due: readonly DueTimer[],
  ports: FiringPorts,
): Promise<ReadonlyMap<TimerId, readonly HubEvent[]>> {
  const timers = due.map(({ timer }) => timer).filter(({ kind }) => kind === "digest")
  if (timers.length === 0) return new Map()
  const keys = new Set(timers.flatMap(({ gate }) => (gate === null ? [] : [gate])))
  const gates = await ports.gates([...keys])
  for (const { id, gate, dueAt } of timers) {
    const state = gate === null ? null : gates.get(gate)
    if (gate !== null && state?.kind === "digest" && state.timer === id) gates.set(gate, null, dueAt)
  }
  const events = await ports.gathered(timers.map(({ id }) => id))
  return new Map(timers.map(({ id }, i) => [id, events[i] ?? []]))
}

const eventsOf = ({ due: { timer, events } }: Firing, digests: ReadonlyMap<TimerId, readonly HubEvent[]>) =>
  timer.kind === "digest" ? (digests.get(timer.id) ?? []) : events

/** A timer whose firing fails leaves the gates as they were. One that is for very many people takes many turns. */
function* fired(aimed: Aimed, gates: Gates, told: ToldSoFar, options: BatchOptions): Sliced<Fired> {
  const { settings, ids, onBug } = options
  const { due } = aimed.asked.firing
  try {
    const staged = new StagedGates(gates)
    const already = yield* told.of(due)
    const made = yield* fireInSlices(aimed, already, { settings, ids, gates: staged })
    yield* staged.handOn()
    yield* eachInSlices(
      made.notifications,
      ({ recipient, id, inbox }) => void already.set(recipient, { id, inbox }),
      LIGHT,
    )
    return made
  } catch (error) {
    onBug(error)
    return nothingFrom(due.timer, "failed")
  }
}

/** Who has a notification of an event and a rule: what was stored, and what this batch has made since. */
class ToldSoFar {
  readonly #byRule = new Map<string, Map<RecipientId, Kept>>();

  *of({ timer, told }: DueTimer): Sliced<Map<RecipientId, Kept>> {
    const key = `${timer.event}\n${timer.rule}`
    const known = this.#byRule.get(key)
    if (known !== undefined) return known
    const all = new Map<RecipientId, Kept>()
    yield* eachInSlices(told, ({ recipient, id, inbox }) => void all.set(recipient, { id, inbox }), LIGHT)
    this.#byRule.set(key, all)
    return all
  }
}
