import { afterEach, beforeEach, describe, expect, test } from "bun:test"
import { systemClock } from "../runtime/clock.ts"
import { createTelemetry, type Telemetry } from "./bus.ts"
import { createMetrics, type Metrics } from "./metrics.ts"
import { createRegistry } from "./registry.ts"
import { scrub } from "./scrub.ts"

interface Family {
  readonly type: string
  readonly samples: Map<string, number>
}

/** A strict reader of the text format 0.0.4: throws at anything that the specification does not allow. */
function parse(text: string): Map<string, Family> {
  if (!text.endsWith("\n")) throw new Error("the last line has no end")
  const families = new Map<string, Family>()
  let current: { name: string; family: Family } | null = null
  let helped = ""
  for (const line of text.slice(0, -1).split("\n")) {
    const help = /^# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (?:[^\\]|\\\\|\\n)*$/.exec(line)
    const type = /^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram)$/.exec(line)
    if (help) {
      helped = help[1] ?? ""
      continue
    }
    if (type) {
      const [, name = "", kind = ""] = type
      if (name !== helped || families.has(name)) throw new Error(`TYPE out of place: ${line}`)
      if (kind === "counter" && !name.endsWith("_total")) throw new Error(`a counter without _total: ${name}`)
      current = { name, family: { type: kind, samples: new Map() } }
      families.set(name, current.family)
      continue
    }
    const sample = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (-?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?)|NaN|[+-]Inf)$/.exec(
      line,
    )
    if (!sample || current === null) throw new Error(`no sample: ${line}`)
    const [, name = "", labels = "", value = ""] = sample
    const suffix = name.slice(current.name.length)
    const allowed = current.family.type === "histogram" ? ["_bucket", "_sum", "_count"] : [""]
    if (!name.startsWith(current.name) || !allowed.includes(suffix))
      throw new Error(`a stranger in ${current.name}: ${line}`)
    const pairs = labels.match(/[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\\\|\\"|\\n)*"/g) ?? []
    if (pairs.join(",") !== labels) throw new Error(`bad labels: ${line}`)
    const key = `${suffix}{${labels}}`
    if (current.family.samples.has(key)) throw new Error(`twice: ${line}`)
    current.family.samples.set(key, value === "+Inf" ? Number.POSITIVE_INFINITY : Number(value))
  }
  return families
}

describe("the metrics of the hub", () => {
  let telemetry: Telemetry
  let metrics: Metrics
  beforeEach(() => {
    telemetry = createTelemetry()
    metrics = createMetrics()
    telemetry.subscribe(metrics.subscriber)
  })
  afterEach(() => metrics.close())

  const value = async (name: string, labels = "") =>
    parse(await metrics.render())
      .get(name)
      ?.samples.get(`{${labels}}`)

  test("have the contract's names and types before anything happens", async () => {
    const families = parse(await metrics.render())
    expect(families.get("notifications_emitted_total")?.type).toBe("counter")
    expect(families.get("notifications_delivered_total")?.type).toBe("counter")
    expect(families.get("notifications_failed_total")?.type).toBe("counter")
    expect(families.get("delivery_latency_seconds")?.type).toBe("histogram")
    expect(families.get("queue_depth")?.type).toBe("gauge")
    expect(families.get("notifications_delivered_total")?.samples.get('{channel="telegram"}')).toBe(0)
    expect(families.get("process_resident_memory_bytes")?.samples.get("{}")).toBeGreaterThan(1_000_000)
  })

  test("follow an event from door to door", async () => {
    const at = { channel: "telegram", deliveryId: "dlv_1" }
    telemetry.emit({
      kind: "events_accepted",
      via: "http",
      count: 3,
      duplicates: 1,
      unheard: 0,
      ms: 2,
      byType: { "a.b": 3 },
    })
    telemetry.emit({
      kind: "route_done",
      events: 3,
      rulesMatched: 4,
      notifications: 5,
      deliveries: 6,
      suppressed: 1,
      ms: 1,
    })
    telemetry.emit({ kind: "delivery_attempted", ...at, attempt: 1, outcome: "retry", reason: "rate_limited", ms: 7 })
    telemetry.emit({
      kind: "delivery_settled",
      ...at,
      status: "retrying",
      reason: "rate_limited",
      latencySeconds: null,
    })
    telemetry.emit({ kind: "delivery_settled", ...at, status: "delivered", reason: null, latencySeconds: 0.02 })
    telemetry.emit({ kind: "delivery_settled", ...at, status: "dead", reason: "blocked", latencySeconds: 9 })
    expect(await value("hub_events_accepted_total", 'via="http"')).toBe(3)
    expect(await value("hub_events_duplicate_total", 'via="http"')).toBe(1)
    expect(await value("notifications_emitted_total")).toBe(5)
    expect(await value("hub_delivery_attempts_total", 'channel="telegram",outcome="retry",reason="rate_limited"')).toBe(
      1,
    )
    expect(await value("notifications_delivered_total", 'channel="telegram"')).toBe(1)
    expect(await value("notifications_failed_total", 'channel="telegram"')).toBe(1)
    expect(await value("hub_delivery_retries_total", 'channel="telegram"')).toBe(1)
    const latency = parse(await metrics.render()).get("delivery_latency_seconds")?.samples
    expect(latency?.get('_bucket{channel="telegram",le="0.01"}')).toBe(0)
    expect(latency?.get('_bucket{channel="telegram",le="0.025"}')).toBe(1)
    expect(latency?.get('_bucket{channel="telegram",le="+Inf"}')).toBe(1)
    expect(latency?.get('_sum{channel="telegram"}')).toBe(0.02)
  })

  test("count what is open and what crashed", async () => {
    telemetry.emit({ kind: "socket_opened", transport: "websocket" })
    telemetry.emit({ kind: "socket_opened", transport: "websocket" })
    telemetry.emit({ kind: "socket_closed", transport: "websocket", code: 1000, ms: 5 })
    telemetry.emit({
      kind: "actor_exited",
      actor: scrub("hub/path/router"),
      actorKind: "router",
      incarnation: 1,
      asked: false,
      reason: "error",
      error: scrub("x"),
    })
    telemetry.emit({ kind: "database_down", error: scrub("x") })
    expect(await value("hub_sockets")).toBe(1)
    expect(await value("hub_actor_crashes_total", 'kind="router",reason="error"')).toBe(1)
    expect(await value("hub_database_up")).toBe(0)
  })

  test("name the revision that runs, and tell when a change was refused", async () => {
    telemetry.emit({ kind: "rules_loaded", revision: "old", rules: 1, templates: 1, ms: 1 })
    telemetry.emit({ kind: "rules_loaded", revision: 'n"e\\w', rules: 2, templates: 1, ms: 1 })
    telemetry.emit({ kind: "rules_refused", count: 1, errors: [] })
    const families = parse(await metrics.render())
    expect([...(families.get("hub_rules_info")?.samples ?? [])]).toEqual([['{revision="n\\"e\\\\w"}', 1]])
    expect(families.get("hub_rules_last_load_ok")?.samples.get("{}")).toBe(0)
  })

  test("ask the owner of a gauge at every scrape, and the last owner wins", async () => {
    metrics.gauge("queue_depth", "old", () => 1)
    metrics.gauge("queue_depth", "new", async () => [
      { labels: { channel: "email" }, value: 2 },
      { labels: { channel: "sms" }, value: 0 },
    ])
    expect(await value("queue_depth", 'channel="email"')).toBe(2)
  })

  test("an event costs the emitter about a microsecond", () => {
    const event = {
      kind: "http_request",
      method: "POST",
      route: "/v1/events",
      status: 201,
      ms: 1,
      requestId: null,
    } as const
    const rounds = 200_000
    for (let index = 0; index < rounds; index += 1) telemetry.emit(event)
    const started = performance.now()
    for (let index = 0; index < rounds; index += 1) telemetry.emit(event)
    // A busy machine may be several times slower than a quiet one; a mistake here is tens of times slower.
    expect(((performance.now() - started) * 1_000) / rounds).toBeLessThan(5)
  })
})

describe("the registry", () => {
  test("leaves out a gauge that throws, rejects or does not answer, and serves the rest", async () => {
    const noPatience = {
      ...systemClock,
      after(_ms: number, run: () => void) {
        queueMicrotask(run)
        return { cancel() {} }
      },
    }
    const registry = createRegistry(noPatience)
    registry.gauge("broken", "throws", () => {
      throw new Error("no")
    })
    registry.gauge("rejected", "rejects", () => Promise.reject(new Error("no")))
    registry.gauge("stuck", "never answers", () => Promise.withResolvers<number>().promise)
    registry.gauge("fine", "answers", () => 1)
    const families = parse(await registry.render())
    expect([...families].map(([name, { samples }]) => [name, samples.size])).toEqual([
      ["broken", 0],
      ["rejected", 0],
      ["stuck", 0],
      ["fine", 1],
    ])
  })

  test("counts series beyond its bound together, so that a caller's word cannot fill the memory", async () => {
    const registry = createRegistry()
    const counter = registry.counter("words_total", "Words", ["word"])
    for (let index = 0; index < 10_000; index += 1) counter.inc({ word: `w${index}` })
    const samples = parse(await registry.render()).get("words_total")?.samples
    expect(samples?.size).toBe(201)
    expect(samples?.get('{word="other"}')).toBe(9_800)
  })

  test("escapes labels and help, and writes numbers as Prometheus reads them", async () => {
    const registry = createRegistry()
    registry.gauge("odd", "two\nlines \\ here", () => [
      { labels: { a: 'q"\n\\' }, value: Number.POSITIVE_INFINITY },
      { labels: { a: "tiny" }, value: 1e-9 },
      { labels: { a: "none" }, value: Number.NaN },
    ])
    const samples = parse(await registry.render()).get("odd")?.samples
    expect(samples?.get('{a="q\\"\\n\\\\"}')).toBe(Number.POSITIVE_INFINITY)
    expect(samples?.get('{a="tiny"}')).toBe(1e-9)
  })

  test("a histogram's buckets are cumulative and include their bound", async () => {
    const registry = createRegistry()
    const histogram = registry.histogram("size", "Sizes", [], [1, 2, 4])
    for (const size of [0.5, 1, 2, 3, 9]) histogram.observe({}, size)
    const samples = parse(await registry.render()).get("size")?.samples
    expect(["1", "2", "4", "+Inf"].map((le) => samples?.get(`_bucket{le="${le}"}`))).toEqual([2, 3, 4, 5])
    expect(samples?.get("_count{}")).toBe(5)
  })

  test("refuses a second counter of one name", () => {
    const registry = createRegistry()
    registry.counter("twice_total", "Twice", [])
    expect(() => registry.counter("twice_total", "Twice", [])).toThrow("exists already")
  })
})
