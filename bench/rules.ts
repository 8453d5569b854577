/**
 * How many events a second are matched with rules, by how many there are, against json-rules-engine and a loop over all
 * rules with json-logic-js as it is published. Needs no server; takes about a minute. Long, because rules and rivals are made here.
 */
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { Engine } from "json-rules-engine"
import type { HubEvent } from "../src/domain/event.ts"
import { newEventId, type RuleName } from "../src/domain/ids.ts"
import type { Json } from "../src/domain/json.ts"
import { factsOf } from "../src/routing/facts.ts"
import { matches } from "../src/routing/match.ts"
import { ErrorList } from "../src/routing/rule-error.ts"
import { indexRules, type LoadedRule, type RuleSet } from "../src/routing/rule-set.ts"
import { readTemplates } from "../src/routing/templates.ts"
import { newEvent } from "../src/testing/builders.ts"
import { machineLine, median, num, printRows, printTable, type Row } from "./harness.ts"

const COUNTS = [10, 100, 1_000, 10_000]
const OF_THE_TYPE = 5
const MANY_OF_THE_TYPE = 50
const AIM_COUNT = 1_000
const AIM_RATE = 100_000
/** 10,000 rules take more of the processor's caches than 10. */
const AIM_FLAT = 0.5
const ROUNDS = 5
const ROUND_MS = 300
const EVENTS = 4_096

/** A rule with three comparisons: of four events of its type it wants one to two. */
interface Spec {
  readonly name: string
  readonly type: string
  readonly least: number
  readonly currency: string
}

const specsOf = (count: number, ofTheType: number): readonly Spec[] =>
  Array.from({ length: count }, (_, i) => ({
    name: `rule-${i}`,
    type: `type.${Math.floor(i / ofTheType)}.happened`,
    least: (i % ofTheType) * 1_000,
    currency: i % 2 === 0 ? "IQD" : "USD",
  }))

const conditionOf = ({ least, currency }: Spec): Json => ({
  and: [
    { ">=": [{ var: "payload.total" }, least] },
    { "==": [{ var: "payload.currency" }, currency] },
    { "!=": [{ var: "payload.customer.kind" }, "test"] },
  ],
})

/** Events spread over all types, in no order that a cache could learn. */
function eventsFor(types: number): readonly HubEvent[] {
  return Array.from({ length: EVENTS }, (_, i) => ({
    ...newEvent({
      type: `type.${(i * 7_919) % types}.happened`,
      payload: {
        total: (i * 37) % 6_000,
        currency: i % 3 === 0 ? "USD" : "IQD",
        customer: { kind: i % 11 === 0 ? "test" : "shop" },
        number: `INV-${i}`,
      },
    }),
    id: newEventId(Date.UTC(2026, 0, 5)),
    acceptedAt: Date.UTC(2026, 0, 5),
  }))
}

/** Matches one event; how many rules it fits. */
type Match = (event: HubEvent) => number | Promise<number>

interface Contestant {
  readonly name: string
  readonly match: Match
}

function hubWith(specs: readonly Spec[]): Contestant & { readonly withReasons: Contestant } {
  const rules = specs.map(
    (spec, order): LoadedRule => ({
      name: spec.name as RuleName, // made above, and unique
      eventTypes: [spec.type],
      source: null,
      condition: conditionOf(spec),
      actions: [],
      at: "rules/bench.yaml:1:1",
      order,
    }),
  )
  const templates = readTemplates(new Map(), new ErrorList())
  const set: RuleSet = {
    revision: "bench",
    hash: "bench",
    rules,
    sources: [],
    templates,
    files: {},
    loadedAt: 0,
    rulesFor: indexRules(rules),
  }
  return {
    name: "hub",
    match: (event) => matches(set, event, factsOf(event)).matched.length,
    withReasons: {
      name: "hub, every reason read",
      match(event) {
        const { decisions, matched } = matches(set, event, factsOf(event))
        for (const { reason } of decisions) if (reason === "") throw new Error("a decision without a reason")
        return matched.length
      },
    },
  }
}

/** The library as it is published: the hub's own copy counts its steps. */
function published(): (logic: Json, data: unknown) => unknown {
  const source = readFileSync(createRequire(import.meta.url).resolve("json-logic-js"), "utf8")
  const module = { exports: { apply: (): unknown => undefined } as { apply(logic: Json, data: unknown): unknown } }
  new Function("module", "exports", source)(module, module.exports)
  return (logic, data) => module.exports.apply(logic, data)
}

/** What is written first: one JSONLogic for each rule, the type its first clause, and a loop. */
function linearWith(specs: readonly Spec[]): Contestant {
  const apply = published()
  const all = specs.map((spec): Json => ({ and: [{ "==": [{ var: "event.type" }, spec.type] }, conditionOf(spec)] }))
  return {
    name: "json-logic-js, all rules",
    match: (event) => {
      const facts = factsOf(event)
      let fitting = 0
      for (const logic of all) if (apply(logic, facts)) fitting += 1
      return fitting
    },
  }
}

function engineWith(specs: readonly Spec[]): Contestant {
  const engine = new Engine([], { allowUndefinedFacts: true })
  for (const { name, type, least, currency } of specs) {
    engine.addRule({
      name,
      event: { type: name },
      conditions: {
        all: [
          { fact: "type", operator: "equal", value: type },
          { fact: "payload", path: "$.total", operator: "greaterThanInclusive", value: least },
          { fact: "payload", path: "$.currency", operator: "equal", value: currency },
          { fact: "payload", path: "$.customer.kind", operator: "notEqual", value: "test" },
        ],
      },
    })
  }
  return {
    name: "json-rules-engine",
    match: async ({ type, payload }) => (await engine.run({ type, payload })).events.length,
  }
}

/** Events per second of processor time, for a while; at least one event. What else runs on the machine does not count. */
async function rate({ match }: Contestant, events: readonly HubEvent[], first: number): Promise<number> {
  Bun.gc(true) // nobody pays for the rubbish of the one before
  const began = process.cpuUsage()
  let done = 0
  let took = 0
  do {
    const event = events[(first + done) % events.length]
    if (event === undefined) throw new Error("no events")
    const fitting = match(event)
    if (typeof fitting !== "number") await fitting
    done += 1
    // The clock is asked seldom: it takes as long as a rule.
    if (done % 64 === 0 || typeof fitting !== "number") took = processorMs(began)
  } while (took < ROUND_MS)
  return (done / took) * 1_000
}

function processorMs(since: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since)
  return (user + system) / 1_000
}

/** All find the same, or the figures would mean nothing. */
async function agree(contestants: readonly Contestant[], events: readonly HubEvent[]): Promise<void> {
  for (const event of events.slice(0, 50)) {
    const found = await Promise.all(contestants.map(({ match }) => match(event)))
    if (new Set(found).size !== 1) throw new Error(`they differ about ${event.type}: ${found.join(", ")}`)
  }
}

interface Held {
  readonly rules: number
  readonly ofTheType: number
  /** Medians, by name. */
  readonly rates: ReadonlyMap<string, number>
  /** The hub's rate divided by this one's in the same round, medians. */
  readonly ratios: ReadonlyMap<string, number>
}

async function hold(rules: number, ofTheType: number): Promise<Held> {
  const specs = specsOf(rules, ofTheType)
  const events = eventsFor(Math.ceil(rules / ofTheType))
  const hub = hubWith(specs)
  const contestants = [hub, hub.withReasons, linearWith(specs), engineWith(specs)]
  await agree(contestants, events)
  for (const one of contestants) await rate(one, events, 0) // the engine has then seen all of them
  const rounds = new Map(contestants.map(({ name }): [string, number[]] => [name, []]))
  for (let round = 0; round < ROUNDS; round++) {
    const order = round % 2 === 0 ? contestants : contestants.toReversed()
    for (const one of order) rounds.get(one.name)?.push(await rate(one, events, round * 997))
  }
  const mine = rounds.get(hub.name) ?? []
  const ratio = (theirs: readonly number[]): number => median(mine.map((value, i) => value / (theirs[i] ?? Number.NaN)))
  return {
    rules,
    ofTheType,
    rates: new Map([...rounds].map(([name, values]) => [name, median(values)])),
    ratios: new Map([...rounds].map(([name, values]) => [name, ratio(values)])),
  }
}

/** Runs the bench; prints its own table and returns the rows for the common one. */
export async function rules(): Promise<readonly Row[]> {
  const held: Held[] = []
  for (const count of COUNTS) held.push(await hold(count, OF_THE_TYPE))
  held.push(await hold(AIM_COUNT, MANY_OF_THE_TYPE))
  console.log(
    `\nevents matched in a second of a core, medians of ${ROUNDS} interleaved rounds; ratio: the hub's rate ÷ this one's`,
  )
  printTable(
    ["rules", "of the type", "who", "events/s", "ratio"],
    held.flatMap(({ rules: count, ofTheType, rates, ratios }) =>
      [...rates].map(([name, value], i) => [
        i === 0 ? num(count) : "",
        i === 0 ? num(ofTheType) : "",
        name,
        num(value),
        i === 0 ? "" : num(ratios.get(name) ?? Number.NaN),
      ]),
    ),
  )
  return rowsOf(held, await flatness())
}

/** 10,000 rules against 10 in the same rounds, each event concerning five of either. */
async function flatness(): Promise<number> {
  const ratios: number[] = []
  const few = hubWith(specsOf(10, OF_THE_TYPE))
  const many = hubWith(specsOf(10_000, OF_THE_TYPE))
  const eventsOfFew = eventsFor(10 / OF_THE_TYPE)
  const eventsOfMany = eventsFor(10_000 / OF_THE_TYPE)
  for (let round = 0; round < 2 * ROUNDS; round++) {
    const one = await rate(few, eventsOfFew, round)
    ratios.push((await rate(many, eventsOfMany, round)) / one)
  }
  return median(ratios)
}

function rowsOf(held: readonly Held[], flat: number): readonly Row[] {
  const at = (count: number, ofTheType = OF_THE_TYPE) =>
    held.find((one) => one.rules === count && one.ofTheType === ofTheType)
  const rateAt = (count: number, ofTheType = OF_THE_TYPE): number =>
    at(count, ofTheType)?.rates.get("hub") ?? Number.NaN
  const aimed = rateAt(AIM_COUNT)
  const against = COUNTS.flatMap((count): readonly Row[] =>
    ["json-logic-js, all rules", "json-rules-engine"].map((rival) => ({
      bench: "rules",
      what: `${num(count)} rules: hub ÷ ${rival}`,
      figure: num(at(count)?.ratios.get(rival) ?? Number.NaN),
      aim: null,
      met: null,
    })),
  )
  return [
    {
      bench: "rules",
      what: `${num(AIM_COUNT)} rules, ${OF_THE_TYPE} of the type`,
      figure: `${num(aimed)}/s`,
      aim: `≥ ${num(AIM_RATE)}/s`,
      met: aimed >= AIM_RATE,
    },
    {
      bench: "rules",
      what: "10,000 rules ÷ 10 rules, 5 of the type",
      figure: flat.toFixed(2),
      aim: `≥ ${AIM_FLAT}`,
      met: flat >= AIM_FLAT,
    },
    {
      bench: "rules",
      what: "1,000 rules, 50 of the type ÷ 5 of the type",
      figure: (rateAt(AIM_COUNT, MANY_OF_THE_TYPE) / aimed).toFixed(2),
      aim: null,
      met: null,
    },
    {
      bench: "rules",
      what: "1,000 rules: without reasons ÷ every reason read",
      figure: num(at(AIM_COUNT)?.ratios.get("hub, every reason read") ?? Number.NaN),
      aim: null,
      met: null,
    },
    ...against,
  ]
}

if (import.meta.main) {
  console.log(await machineLine())
  printRows(await rules())
}
