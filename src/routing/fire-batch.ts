/** Decides a batch of timers that are due. A timer that cannot be decided spoils only itself. */
import type { HubEvent } from "../domain/event.ts"
import { type DueTimer, type Fired, nothingFrom } from "../domain/firing.ts"
import type { Gates } from "../domain/gates.ts"
import type { RecipientId, TimerId } from "../domain/ids.ts"
import type { NewTimer } from "../domain/timer.ts"
import type { FiringPorts } from "../store/decision-ports.ts"
import { type BatchOptions, ITEMS_PER_BREATH, inTurn, NO_GATES, Questions } from "./decide-batch.ts"
import { type Aimed, type Asked, aim, ask, begin, type Firing, fireInSlices, isFirst } from "./fire.ts"
import type { RuleSet } from "./rule-set.ts"
import { withBreaths } from "./slices.ts"
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
  const aimed = await inTurn(asked, options, (one) => {
    if (isFired(one)) return one
    const { timer } = one.firing.due
    return guarded(timer, () => {
      const made = aim(one, answersOf(one))
      return isFirst(one.firing) && timer.step === 0 && peopleIn(made) > (options.crowd ?? Number.POSITIVE_INFINITY)
        ? nothingFrom(timer, "apart")
        : made
    })
  })
  const keys = new Set(aimed.flatMap((one) => (isFired(one) ? [] : one.keys)))
  const gates = keys.size === 0 ? NO_GATES : await ports.gates([...keys])
  const told = new ToldSoFar()
  const all: Fired[] = []
  for (const [i, one] of aimed.entries()) {
    if (i > 0 && i % ITEMS_PER_BREATH === 0) await options.breathe()
    all.push(isFired(one) ? one : await fired(one, gates, told, options))
  }
  return all
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
async function fired(aimed: Aimed, gates: Gates, told: ToldSoFar, options: BatchOptions): Promise<Fired> {
  const { settings, ids, onBug, breathe } = options
  const { due } = aimed.asked.firing
  try {
    const staged = new StagedGates(gates)
    const already = told.of(due)
    const made = await withBreaths(fireInSlices(aimed, already, { settings, ids, gates: staged }), breathe)
    staged.handOn()
    for (const { recipient, id, inbox } of made.notifications) already.set(recipient, { id, inbox })
    return made
  } catch (error) {
    onBug(error)
    return nothingFrom(due.timer, "failed")
  }
}

/** Who has a notification of an event and a rule: what was stored, and what this batch has made since. */
class ToldSoFar {
  readonly #byRule = new Map<string, Map<RecipientId, Kept>>()

  of({ timer, told }: DueTimer): Map<RecipientId, Kept> {
    const key = `${timer.event}\n${timer.rule}`
    let known = this.#byRule.get(key)
    if (known === undefined) {
      known = new Map(told.map(({ recipient, id, inbox }) => [recipient, { id, inbox }]))
      this.#byRule.set(key, known)
    }
    return known
  }
}
