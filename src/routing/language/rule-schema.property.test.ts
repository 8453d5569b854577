import { expect, test } from "bun:test"
import { Ajv2020 } from "ajv/dist/2020.js"
import fc from "fast-check"
import { PLAIN_TEMPLATE } from "../../testing/rule-fixtures.ts"
import { ruleSetFrom } from "../load.ts"
import { NOTIFY } from "./language.ts"
import { RULE_SCHEMA } from "./rule-schema.ts"

const fits = new Ajv2020({ strict: true, strictRequired: false, strictTypes: false }).compile(RULE_SCHEMA)

const duration = fc.constantFrom("1s", "5m", " 90 s ", "2h", "30d", "1w", "0s", "31d", "1h30m", 30, "", null)
const channels = fc.oneof(
  fc.uniqueArray(fc.constantFrom("inapp", "email", "sms", "voice", "telegram", "slack", "push"), {
    minLength: 1,
    maxLength: 3,
  }),
  fc.constantFrom(["in_app"], [], ["sms", "sms"], ["fax"], "sms", null),
)
const audience = fc.constantFrom<unknown>(
  { roles: ["r"] },
  { users: [{ var: "payload.user_id" }, "u1"] },
  { lists: ["vip"], everyone: false },
  { everyone: true },
  { everyone: false },
  { lists: ["a b"] },
  {},
  [],
)
const key = fc.constantFrom<unknown>(
  "sku",
  "event.type",
  ["sku", "location_id"],
  { lower: [{ var: "payload.sku" }] },
  [],
  5,
  "a..b",
)
const whole = fc.constantFrom(1, 20, 1_000, 0, 1_001, 1.5, "5")
const mapOf = (keys: Readonly<Record<string, fc.Arbitrary<unknown>>>, required: readonly string[]) =>
  fc.record(keys, { requiredKeys: [...required] })

/** Values that fit the key, and some that do not. */
const VALUES: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  type: fc.constant("notify"),
  to: audience,
  channels,
  template: fc.constant("plain"),
  priority: fc.constantFrom("low", "high", "urgent"),
  bypass_quiet_hours: fc.constantFrom(true, false, "yes"),
  category: fc.constantFrom("billing", "", 5),
  action_url: fc.constantFrom("/x", "/x/<%= it.payload.id %>"),
  action_label: fc.constantFrom("See", 5),
  data: fc.constantFrom({}, { a: "b" }, { a: 5 }, []),
  cooldown: fc.oneof(duration, mapOf({ key, window: duration }, ["window"])),
  throttle: mapOf({ key, limit: whole, window: duration }, []),
  delay: duration,
  digest: mapOf({ key, window: duration, max: whole }, ["window"]),
  escalate: fc.array(mapOf({ after: duration, channels, to: audience }, ["after", "channels"]), { maxLength: 2 }),
  until: fc.constantFrom("acknowledged", "read", "seen"),
  failover: channels,
  expires_in: duration,
  on_unknown: fc.constantFrom("retry", "hold", "drop"),
  update: key,
  commercial: fc.constantFrom(true, false),
  mode: fc.constantFrom("live", "shadow", "off"),
  inhibited_by: mapOf(
    { event_type: fc.constantFrom("a", ["a.*", "**"], "a*"), equal: fc.constantFrom(["sku"], []), within: duration },
    ["event_type"],
  ),
}

/** A few keys at a time: with all of them nothing would ever be right. */
const action = fc
  .subarray(
    Object.keys(VALUES).filter((name) => !["type", "channels", "template"].includes(name)),
    { maxLength: 4 },
  )
  .chain((names) =>
    fc.record(
      Object.fromEntries(
        ["type", "channels", "template", ...names].map((name) => [name, VALUES[name] ?? fc.constant(null)]),
      ),
    ),
  )

test("whatever the hub takes, an editor takes: the schema refuses nothing that is right", () => {
  expect(Object.keys(VALUES).sort()).toEqual(Object.keys(NOTIFY.keys).sort())
  let taken = 0
  fc.assert(
    fc.property(action, (each) => {
      const file = { rules: [{ name: "r", event_type: "a", actions: [each] }] }
      const loaded = ruleSetFrom(
        { ...PLAIN_TEMPLATE, "rules/a.yaml": JSON.stringify(file) },
        { revision: "", wallMillis: 0 },
      )
      if ("errors" in loaded) return
      taken += 1
      expect(fits(file) ? [] : fits.errors).toEqual([])
    }),
    { numRuns: 2_000 },
  )
  expect(taken).toBeGreaterThan(100)
})

test("no text makes the reader throw", () => {
  const piece = fc.constantFrom(
    "rules:",
    "\n",
    "  ",
    "- ",
    "name: x",
    "event_type: a",
    "actions:",
    "[",
    "]",
    "{",
    "}",
    ":",
    "&a ",
    "*a",
    "!!str ",
    "? ",
    "|\n",
    "'",
    '"',
    "#",
    "<<: ",
    "%YAML 1.2\n",
    "---\n",
    "\t",
    "1e3",
    "~",
    "\u0000",
    "\ud800",
  )
  fc.assert(
    fc.property(fc.array(fc.oneof(piece, fc.string({ maxLength: 5 })), { maxLength: 40 }), (pieces) => {
      const loaded = ruleSetFrom(
        { ...PLAIN_TEMPLATE, "rules/a.yaml": pieces.join("") },
        { revision: "", wallMillis: 0 },
      )
      if ("errors" in loaded)
        expect(loaded.errors.every(({ file, line, column }) => file === "rules/a.yaml" && line > 0 && column > 0)).toBe(
          true,
        )
    }),
    { numRuns: 2_000 },
  )
})
