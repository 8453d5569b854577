import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { partWords } from "./health-words.ts"

const NINE = Date.UTC(2026, 0, 5, 9)
const ago = (minutes: number): string => new Date(NINE - minutes * 60_000).toISOString()
const said = (name: string, detail: Readonly<Record<string, unknown>>, status = "up"): string =>
  partWords({ name, status, detail }, NINE).said
const silent = (source: string, minutes: number) => ({ source, since: ago(minutes), expected: "1 event per 6h" })

describe("all well", () => {
  test.each([
    ["database", { ms: 0.4 }, "answers within 1 ms"],
    ["database", { ms: 7.1 }, "answers in 7 ms"],
    ["rules", { rules: 37, revision: "efd7af0eccf46edd", loaded_at: ago(1) }, "37 in force at efd7af0ecc"],
    ["sources", { promised: 0, silent: [] }, "none has promised to speak"],
    ["sources", { promised: 1, silent: [] }, "1 speaks as promised"],
    ["sources", { promised: 3, silent: [] }, "all 3 speak as promised"],
    ["work", { unrouted: 0, waiting: 0, sending: 0, dead: 0, oldest_due_seconds: 0 }, "nothing waits"],
    ["channels", { email: "captured", sms: "captured" }, "all captured in the outbox"],
    ["channels", { slack: "live", email: "captured" }, "slack live · email captured in the outbox"],
    ["actors", { actors: 27, backoff: 0, gave_up: 0, stuck: 0, dead_letters: 3 }, "all 27 run"],
    ["realtime", { sockets: 0, topics: 0 }, "nobody is connected"],
    ["realtime", { sockets: 1, topics: 2 }, "1 connection open"],
    ["jetstream", { connected: true, held: false, troubles: 0, pending: 0 }, "everything taken"],
    ["nats", {}, ""],
  ])("%s %j", (name, detail, words) => {
    expect(said(name, detail)).toBe(words)
  })
})

describe("trouble", () => {
  test.each([
    [
      "rules",
      { rules: 37, revision: "efd7af0eccf46edd", errors: 2, refused: ["rules/a.yaml:3: no such key"] },
      "37 in force at efd7af0ecc · the last change was refused with 2 errors · rules/a.yaml:3: no such key",
    ],
    [
      "work",
      { unrouted: 2, waiting: 40, sending: 3, dead: 1, oldest_due_seconds: 400 },
      "2 to be routed · 40 to be sent · 3 being sent · 1 not delivered · the oldest due for 7 min",
    ],
    [
      "channels",
      { email: "bad_credential", sms: "absent", slack: "crashing", telegram: "live" },
      "email paused: the credentials are refused · sms without credentials · slack crashing · telegram live",
    ],
    ["actors", { reason: "starting" }, "still starting"],
    ["actors", { actors: 27, backoff: 1, gave_up: 0, stuck: 0 }, "1 of 27 waits after a crash"],
    [
      "actors",
      { actors: 27, backoff: 2, gave_up: 1, stuck: 3 },
      "2 of 27 wait after a crash · 3 are stuck · 1 just gave up and was started anew",
    ],
    ["jetstream", { connected: false, held: false, troubles: 0, pending: 12 }, "not connected · 12 to be taken"],
    [
      "jetstream",
      { connected: true, held: true, troubles: 1, pending: 0 },
      "messages wait: they cannot be stored now · its stream has 1 problem, which the log names",
    ],
  ])("%s %j", (name, detail, words) => {
    expect(said(name, detail, "degraded")).toBe(words)
  })

  test("names who is silent, for how long, and what was expected", () => {
    const detail = { promised: 3, silent: [silent("zoho", 600)], count: 1 }
    expect(said("sources", detail, "degraded")).toBe("zoho is silent for 10 h, expected 1 event per 6h")
  })

  test("says who is silent where nothing else can be read", () => {
    expect(said("sources", { promised: 1, silent: [{ source: "zoho", since: "never" }] }, "degraded")).toBe(
      "zoho is silent",
    )
  })

  test("a source that is silent in several businesses is named once, and of many sources three", () => {
    const all = [silent("zoho", 600), silent("zoho", 5_000), ...["crm", "till", "erp"].map((name) => silent(name, 90))]
    const words = said("sources", { promised: 9, silent: all, count: 12 }, "degraded")
    expect(words.split(" · ")).toEqual([
      "zoho is silent in 2 businesses for 3 days, expected 1 event per 6h",
      "crm is silent for 90 min, expected 1 event per 6h",
      "till is silent for 90 min, expected 1 event per 6h",
      "8 more",
    ])
  })

  test("a part that cannot be asked says so", () => {
    for (const name of ["database", "work", "channels", "nats", "a_part_of_tomorrow"]) {
      expect(said(name, {}, "down")).toBe("does not answer")
      expect(said(name, { reason: "no answer in time" }, "down")).toBe("no answer in time")
    }
  })
})

test("a part that this page does not know says its first figures under its name", () => {
  const detail = { open_doors: 2, nobody: null, colour: "blue", deep: { x: 1 }, third: 3, fourth: 4 }
  expect(partWords({ name: "new_part", status: "up", detail }, NINE)).toEqual({
    name: "New part",
    said: "open doors 2 · colour blue · third 3",
  })
})

test("whatever a part holds, its words leave a gap and never throw", () => {
  const names = ["database", "rules", "sources", "work", "channels", "actors", "realtime", "jetstream", "nats", "other"]
  const keys = ["ms", "rules", "refused", "silent", "promised", "count", "actors", "backoff", "sockets", "pending", "x"]
  const detail = fc.dictionary(fc.constantFrom(...keys), fc.jsonValue())
  const silentSources = fc.record({ silent: fc.array(fc.record({ source: fc.jsonValue(), since: fc.jsonValue() })) })
  fc.assert(
    fc.property(
      fc.constantFrom(...names),
      fc.constantFrom("up", "degraded", "down"),
      fc.oneof(detail, silentSources),
      (name, status, given) => {
        expect(said(name, given, status)).not.toMatch(/NaN|undefined|object Object/)
      },
    ),
  )
})
