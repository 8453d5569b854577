import { expect, test } from "bun:test"
import { jsonMistake } from "./json-mistake.ts"
import { draftOf, sampleFor } from "./sample-event.ts"
import { readAddress } from "./views.ts"

test("a recorded event becomes what its producer sent", () => {
  const recorded = { id: "evt_1", type: "a", source: "s", location_id: null, accepted_at: "t", payload: { x: 1 } }
  expect(draftOf(recorded)).toEqual({ type: "a", source: "s", payload: { x: 1 } })
})

test("an event to begin with has the fields that its rule looks at, with values that fit where that is plain to see", () => {
  const rule = {
    name: "r",
    eventTypes: ["order.*"],
    source: "shop",
    condition: {
      and: [
        { ">": [{ var: "payload.total" }, 5] },
        { exists: ["payload.customer.id"] },
        { in: [{ var: "payload.kind" }, ["a", "b"]] },
        { severity_at_least: ["high"] },
        { "!": [{ "==": [{ var: "payload.test" }, true] }] },
      ],
    },
    actions: [{ action_url: "/o/<%= it.payload.order_id %>/<%= it.payload.customer.name %>" }],
    at: "",
    lately: null,
  }
  expect(sampleFor(rule)).toEqual({
    type: "order.any",
    source: "shop",
    severity: "high",
    payload: { total: 6, kind: "a", customer: { id: null, name: "name" }, test: null, order_id: "order_id" },
  })
  expect(sampleFor(rule, "order.paid")["type"]).toBe("order.paid")
})

test("what is no JSON is said by line and column", () => {
  expect(jsonMistake('{"a": 1}')).toBeNull()
  expect(jsonMistake('{\n  "a": }')).toContain("This is no JSON")
})

test("the address names the view, the rule and the event", () => {
  expect(readAddress("", "")).toEqual({ view: "rules", rule: null, event: null })
  expect(readAddress("", "#margin%20call")).toEqual({ view: "rules", rule: "margin call", event: null })
  expect(readAddress("?view=try&rule=x", "")).toEqual({ view: "try", rule: "x", event: null })
  expect(readAddress("?event=evt_1", "")).toEqual({ view: "try", rule: null, event: "evt_1" })
  expect(readAddress("?view=nonsense", "#%zz")).toEqual({ view: "rules", rule: "%zz", event: null })
})
