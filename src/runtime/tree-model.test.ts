import { expect, test } from "bun:test"
import fc from "fast-check"
import { Enactment } from "../testing/enact-supervisors.ts"
import { scenario } from "../testing/random-supervisors.ts"
import { type Step, simulate } from "../testing/simulate-supervisors.ts"
import {
  type Command,
  describeScenario,
  type Plan,
  type Scenario,
  type SupervisorPlan,
  type WorkerPlan,
} from "../testing/supervisor-plans.ts"
import { RULES, type Rules } from "../testing/supervisor-rules.ts"

function show({ command, log, answer, tree, atOnce }: Step): string {
  const happened = (atOnce ? [...log].sort() : log).join(" ")
  return [`> ${command}${answer === "" ? "" : ` = ${answer}`}`, `  ${happened}`, ...tree.map((at) => `    ${at}`)].join(
    "\n",
  )
}

/** The first step in which the runtime differs from the model, told with what led to it; undefined when there is none. */
function difference(played: Scenario, seen: readonly Step[], rules: Rules = RULES): string | undefined {
  const expected = simulate(played, rules)
  const said = expected.map(show)
  const done = seen.map((step, at) => show({ ...step, atOnce: expected[at]?.atOnce ?? false }))
  const at = said.findIndex((step, at) => step !== done[at])
  if (at === -1) return undefined
  return `${describeScenario(played)}\nthe model says\n${said[at]}\nthe runtime does\n${done[at]}\nafter\n${done[at - 1]}`
}

async function agrees(played: Scenario, rules?: Rules): Promise<void> {
  const differs = difference(played, await new Enactment().run(played), rules)
  if (differs !== undefined) throw new Error(differs)
}

const worker = (id: string, given: Partial<WorkerPlan> = {}): WorkerPlan => ({
  ...{ kind: "worker", id, restart: "permanent", significant: false, backoff: undefined, starts: [] },
  ...given,
})
const group = (id: string, children: Plan[], given: Partial<SupervisorPlan> = {}): SupervisorPlan => ({
  ...{ kind: "supervisor", id, restart: "permanent", significant: false, backoff: undefined, children },
  ...{ strategy: "one_for_one", autoShutdown: "never", intensity: 2, periodMs: 1_000, ...given },
})
const crash = (...ids: string[]): Command => ({ do: "exit", who: ids.map((id) => ({ id, reason: "error" })) })
const slowly = { minMs: 100, maxMs: 1_000, resetAfterMs: 5_000 }

/** What the comparison has found, each at its smallest. */
const FOUND: Record<string, Scenario> = {
  "a temporary child that its restarted supervisor has again does not get an old number": {
    root: group("root", [worker("a"), group("s", [worker("b", { restart: "temporary" })])], {
      strategy: "one_for_all",
    }),
    commands: [crash("b"), crash("a")],
  },
  "a crash during the pause of a group widens it at once, and the pauses do not add up": {
    root: group(
      "root",
      [worker("a", { backoff: slowly }), worker("b"), worker("c", { backoff: slowly }), worker("d")],
      {
        strategy: "rest_for_one",
      },
    ),
    commands: [crash("c"), { do: "advance", ms: 50 }, crash("a"), { do: "advance", ms: 100 }],
  },
  "a restart that failed is counted when it is tried again, after what crashed before that": {
    root: group("root", [worker("a", { starts: ["ok", "fail"] }), worker("b")]),
    commands: [crash("a", "b")],
  },
  "an operator's restart in vain of a significant child does not end its supervisor": {
    root: group("root", [worker("a", { restart: "temporary", significant: true, starts: ["ok", "fail"] })], {
      autoShutdown: "any_significant",
    }),
    commands: [{ do: "restart", id: "a" }],
  },
  "a significant child that waits for its group's restart is not taken for ended": {
    root: group(
      "root",
      [
        worker("a", { restart: "temporary", significant: true }),
        worker("b", { restart: "transient", significant: true }),
      ],
      { strategy: "one_for_all", autoShutdown: "all_significant" },
    ),
    commands: [crash("b", "a")],
  },
  "a temporary child that was started by hand and declined leaves no number behind": {
    root: group("root", []),
    commands: [
      { do: "start_child", of: "root", plan: worker("a", { restart: "temporary", starts: ["ignore"] }) },
      { do: "start_child", of: "root", plan: worker("a") },
    ],
  },
}

for (const [sentence, played] of Object.entries(FOUND)) test(sentence, () => agrees(played))

test("5,000 random trees and what is done to them: the runtime does what the model says, every start, stop, answer and tree", async () => {
  await fc.assert(
    fc.asyncProperty(scenario, (played) => agrees(played)),
    { numRuns: 5_000 },
  )
}, 120_000)

test("a model with any one of its rules broken is told from the runtime within 5,000 trees", async () => {
  // The names of RULES, as Object.keys does not say.
  const unnoticed = new Set(Object.keys(RULES) as (keyof Rules)[])
  for (const played of fc.sample(scenario, { numRuns: 5_000, seed: 5_000 })) {
    const seen = await new Enactment().run(played)
    for (const rule of unnoticed) {
      if (difference(played, seen, { ...RULES, [rule]: false }) !== undefined) unnoticed.delete(rule)
    }
    if (unnoticed.size === 0) break
  }
  expect([...unnoticed]).toEqual([])
}, 120_000)

test("what differs is told in a few lines: the smallest tree, what was done to it, and both outcomes", async () => {
  const property = fc.asyncProperty(scenario, (played) => agrees(played, { ...RULES, temporaryIsNotRestarted: false }))
  const { counterexample, errorInstance } = await fc.check(property, { numRuns: 5_000, seed: 1 })
  const told = fc.stringify(counterexample)
  expect(told).toMatch(/\nroot permanent one_for_\w+, \d in 1000 ms.*\n(.*\n)*> exit .* \w+\n/)
  expect(told).toContain("temporary")
  expect(told.split("\n").length).toBeLessThan(12)
  expect(String(errorInstance)).toMatch(/the model says\n> exit .*\n(.*\n)+the runtime does\n> exit .*\n/)
}, 120_000)
