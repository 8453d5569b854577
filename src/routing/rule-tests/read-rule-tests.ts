/** Reads a file of rule tests through a closed schema, as rule files are read: every mistake at its place, at once. */
import { isSeq } from "yaml"
import { SENDING_CHANNELS, type SendingChannel } from "../../domain/channel.ts"
import type { RecipientId } from "../../domain/ids.ts"
import { keysOf, MAX_NAMES } from "../language/language.ts"
import { LATER_BOUNDS, readDuration } from "../language/read-duration.ts"
import { readTimezone } from "../language/read-sources.ts"
import { optional, readWhole, readWord } from "../language/reading.ts"
import { type Field, type Node, scalarOf, YamlFile } from "../language/yaml-file.ts"
import { type ErrorList, rightWord, shown } from "../rule-error.ts"
import type { MemoryPerson } from "../world/memory-audience.ts"
import { readMoment, readTestEvent } from "./read-test-event.ts"
import { RecipientReader, readRecipientId } from "./read-test-people.ts"
import type { Check, Expected, FateOfSending, Reaction, RuleTest, TestPlace, TestStep } from "./rule-test.ts"
import {
  FATES_OF_SENDING,
  MAX_COUNT,
  MAX_TEST_EVENTS,
  MAX_TEST_PEOPLE,
  MAX_TEST_STEPS,
  MAX_TESTS_PER_FILE,
  REACTION,
  STEP,
  TELLING,
  TEST,
  TEST_FILE,
  TOLD_ON,
} from "./rule-test-language.ts"
import { TELLING_STATUSES } from "./told.ts"

type Fields = ReadonlyMap<string, Field>

/** Monday, 5 January 2026, 09:00 UTC: a day like any other, so that a test says the same every day. */
const DEFAULT_START = Date.UTC(2026, 0, 5, 9)

/** What a file's tests have in common. */
interface Common {
  readonly at: number
  readonly timezone: string | null
  readonly people: readonly MemoryPerson[]
}

/** The tests of a file, in order; those with errors are left out. `rules` are the names that expectations may use. */
export function readRuleTests(
  file: string,
  text: string,
  rules: readonly string[],
  errors: ErrorList,
): readonly RuleTest[] {
  const yaml = new YamlFile(file, text, errors)
  return yaml.root === null ? [] : new TestReader(yaml, rules, errors).file(yaml.root)
}

class TestReader {
  readonly #yaml: YamlFile
  readonly #rules: readonly string[]
  readonly #errors: ErrorList

  constructor(yaml: YamlFile, rules: readonly string[], errors: ErrorList) {
    this.#yaml = yaml
    this.#rules = rules
    this.#errors = errors
  }

  file(root: Node): readonly RuleTest[] {
    const fields = this.#yaml.fields(root, keysOf(TEST_FILE))
    const tests = fields?.get("tests")
    if (fields === null || tests === undefined) return []
    const common = this.#common(fields, { at: DEFAULT_START, timezone: null, people: [] })
    const names = new Map<string, string>()
    const items = this.#yaml.items(tests.value, "a list of tests", MAX_TESTS_PER_FILE) ?? []
    return items.flatMap((item) => this.#test(item, common, names))
  }

  /** What a test or a file says of its beginning; where it says nothing, `above` holds. */
  #common(fields: Fields, above: Common): Common {
    const at = optional(fields.get("at"), (value) => readMoment(this.#yaml, value)) ?? above.at
    const timezone = optional(fields.get("timezone"), (value) => readTimezone(this.#yaml, value)) ?? above.timezone
    const field = fields.get("recipients")
    const reader = new RecipientReader(this.#yaml, timezone)
    const items = field === undefined ? [] : this.#yaml.items(field.value, "a list of recipients", MAX_TEST_PEOPLE)
    const own = (items ?? []).flatMap((item) => reader.person(item) ?? [])
    const ids = new Set(own.map(({ recipient }) => recipient.id))
    return { at, timezone, people: [...above.people.filter(({ recipient }) => !ids.has(recipient.id)), ...own] }
  }

  #test(node: Node, above: Common, names: Map<string, string>): readonly RuleTest[] {
    const before = this.#errors.count
    const fields = this.#yaml.fields(node, keysOf(TEST))
    if (fields === null) return []
    const name = optional(fields.get("name"), (value) => this.#name(value, names))
    const { at, people } = this.#common(fields, above)
    const steps = this.#steps(node, fields)
    const looks = steps.some(({ check }) => check !== null)
    if (!looks && this.#errors.count === before) {
      this.#yaml.refuse(node, "a test that expects nothing", '"expect:" or "expect_not:"')
    }
    if (name === null || this.#errors.count > before) return []
    return [{ ...this.#place(node), name, at, people, steps }]
  }

  #name(node: Node, names: Map<string, string>): string | null {
    const name = this.#yaml.text(node, "a sentence", 300)
    if (name === null) return null
    const first = names.get(name)
    if (first === undefined) names.set(name, this.#yaml.at(node))
    else this.#yaml.refuse(node, `a second test of this name`, `another name; the first is at ${first}`)
    return name
  }

  #steps(node: Node, fields: Fields): readonly TestStep[] {
    const steps = fields.get("steps")
    if (steps === undefined) return [this.#step(node, fields)]
    for (const name of Object.keys(STEP.keys)) {
      const field = fields.get(name)
      if (field !== undefined) this.#yaml.refuse(field.key, `${shown(name)} beside "steps"`, "it in a step of its own")
    }
    const items = this.#yaml.items(steps.value, "a list of steps", MAX_TEST_STEPS) ?? []
    return items.flatMap((item) => {
      const own = this.#yaml.fields(item, keysOf(STEP))
      return own === null ? [] : [this.#step(item, own)]
    })
  }

  #step(node: Node, fields: Fields): TestStep {
    const one = fields.get("event")
    const many = fields.get("events")
    if (one !== undefined && many !== undefined) this.#yaml.refuse(one.key, '"event" beside "events"', "one of them")
    const events = many === undefined ? [] : (this.#yaml.items(many.value, "a list of events", MAX_TEST_EVENTS) ?? [])
    return {
      at: this.#place(node),
      fates: this.#fates(fields.get("channel_fails")),
      events: [...(one === undefined ? [] : [one.value]), ...events].flatMap(
        (event) => readTestEvent(this.#yaml, event) ?? [],
      ),
      acknowledge: optional(fields.get("acknowledge"), (value) => this.#reaction(value)),
      read: optional(fields.get("read"), (value) => this.#reaction(value)),
      advanceMs: optional(fields.get("advance"), (value) => readDuration(this.#yaml, value, LATER_BOUNDS)?.ms ?? null),
      check: this.#check(node, fields),
    }
  }

  #fates(field: Field | undefined): TestStep["fates"] {
    const fates = new Map<SendingChannel, FateOfSending>()
    for (const { name, key, value } of field === undefined
      ? []
      : (this.#yaml.entries(field.value, '"channel_fails"') ?? [])) {
      const channel = SENDING_CHANNELS.find((each) => each === name)
      const fate = readWord(this.#yaml, value, { words: FATES_OF_SENDING, what: "outcome", oldSpellings: OUTCOMES })
      if (channel === undefined) {
        const near = rightWord(name, SENDING_CHANNELS)
        this.#yaml.refuse(key, `unknown channel ${shown(name)}`, `one of ${SENDING_CHANNELS.join(", ")}`, near)
      } else if (fate !== null) fates.set(channel, fate)
    }
    return fates
  }

  #reaction(node: Node): Reaction | null {
    const fields = this.#yaml.fields(node, keysOf(REACTION))
    const rule = optional(fields?.get("rule"), (value) => this.#rule(value))
    const by = optional(fields?.get("by"), (value) => readRecipientId(this.#yaml, value))
    return rule === null || by === null ? null : { rule, by, at: this.#place(node) }
  }

  #check(node: Node, fields: Fields): Check | null {
    const expect = fields.get("expect")
    const not = fields.get("expect_not")
    const strict = fields.get("nothing_else")
    if (expect === undefined && not === undefined && strict === undefined) return null
    const nothing = expect !== undefined && isSeq(expect.value) && expect.value.items.length === 0
    const list = (field: Field | undefined): readonly Expected[] =>
      field === undefined
        ? []
        : (this.#yaml.items(field.value, "a list of expectations", MAX_NAMES) ?? []).flatMap((item) =>
            this.#expected(item),
          )
    return {
      expect: nothing ? [] : list(expect),
      not: list(not),
      nothingElse: optional(strict, (value) => this.#yaml.flag(value)) ?? nothing,
      at: this.#place(expect?.key ?? not?.key ?? strict?.key ?? node),
    }
  }

  /** One for each person. */
  #expected(node: Node): readonly Expected[] {
    const fields = this.#yaml.fields(node, keysOf(TELLING))
    if (fields === null) return []
    if (fields.size === 0) this.#yaml.refuse(node, "an expectation of nothing", '"to:", "rule:", …')
    const word = (name: string): string | null =>
      optional(fields.get(name), (value) => this.#yaml.text(value, "a text", 2_000))
    const duration = (name: string): number | null =>
      optional(fields.get(name), (value) => readDuration(this.#yaml, value, LATER_BOUNDS)?.ms ?? null)
    const expected = {
      place: this.#place(node),
      rule: optional(fields.get("rule"), (value) => this.#rule(value)),
      channels: optional(fields.get("channels"), (value) => this.#channels(value)),
      title: word("title"),
      subject: word("subject"),
      body: word("body"),
      status: optional(fields.get("status"), (value) =>
        readWord(this.#yaml, value, { words: TELLING_STATUSES, what: "status", oldSpellings: STATUSES }),
      ),
      reason: word("reason"),
      at: optional(fields.get("at"), (value) => readMoment(this.#yaml, value)),
      afterMs: duration("after"),
      withinMs: duration("within"),
      count: optional(fields.get("count"), (value) => readWhole(this.#yaml, value, 0, MAX_COUNT)),
    }
    const people = optional(fields.get("to"), (value) => this.#people(value))
    return people === null ? [{ ...expected, to: null }] : people.map((to) => ({ ...expected, to }))
  }

  #people(node: Node): readonly RecipientId[] {
    const items = isSeq(node) ? (this.#yaml.items(node, "recipient ids", MAX_NAMES) ?? []) : [node]
    return items.flatMap((item) => readRecipientId(this.#yaml, item) ?? [])
  }

  #channels(node: Node): Expected["channels"] {
    const items = this.#yaml.items(node, "a list of channels", TOLD_ON.length) ?? []
    return items.flatMap(
      (item) =>
        (scalarOf(item) === "in_app" ? "inapp" : readWord(this.#yaml, item, { words: TOLD_ON, what: "channel" })) ?? [],
    )
  }

  #rule(node: Node): string | null {
    const name = this.#yaml.text(node, "the name of a rule", 100)
    if (name === null || this.#rules.includes(name)) return name
    this.#yaml.refuse(node, `no rule is named ${shown(name)}`, "the name of a rule", rightWord(name, this.#rules))
    return null
  }

  #place(node: Node): TestPlace {
    return { file: this.#yaml.file, ...this.#yaml.position(node) }
  }
}

const OUTCOMES = { dead: "rejected", failed: "rejected", fails: "rejected", refused: "rejected", timeout: "unknown" }
const STATUSES = {
  sent: "delivered",
  told: "delivered",
  held: "scheduled",
  queued: "delivered",
  throttled: "suppressed",
}
