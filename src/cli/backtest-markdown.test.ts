import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { asEventId, type RuleName } from "../domain/ids.ts"
import type { Report, RuleChange } from "../routing/backtest/backtest-report.ts"
import { recipientId } from "../testing/builders.ts"
import { backtestMarkdown, code, MARKER } from "./backtest-markdown.ts"
import { backtestText } from "./backtest-text.ts"

const EVENT = asEventId(`evt_${"0".repeat(26)}`)

function change(rule: string, clause = "payload.days (5) >= 5 is true"): RuleChange {
  if (EVENT === null) throw new Error("an id")
  const example = { event: EVENT, type: "a.b", before: clause, after: clause }
  return {
    rule: rule as RuleName, // whatever a file says
    in: "both",
    at: "rules/a.yaml:1:1",
    different: true,
    matched: { before: 1_000, after: 1_200 },
    added: 250,
    removed: 50,
    failed: { before: 0, after: 2 },
    recipients: { before: 2, after: 2, gained: 1, lost: 1 },
    messages: { email: { before: 3, after: 3 } },
    withheld: { no_address: { before: 0, after: 1 } },
    examples: {
      added: [example],
      removed: [example],
      gained: [{ recipient: recipientId("u1"), event: EVENT }],
      lost: [{ recipient: recipientId("u2"), event: EVENT }],
    },
  }
}

const report = (rules: readonly RuleChange[], events: Partial<Report["events"]> = {}): Report => ({
  base: { revision: "a".repeat(40), rules: rules.length },
  head: { revision: `${"b".repeat(40)}+dirty.0123456789ab`, rules: rules.length },
  events: {
    replayed: 1_234_567,
    unreadable: 0,
    out_of_order: 0,
    limited: false,
    undecided: { before: 0, after: 0 },
    first_accepted_at: "2026-03-02T09:00:00.000Z",
    last_accepted_at: "2026-03-09T09:00:00.000Z",
    ...events,
  },
  recipients: 12,
  different: rules.length > 0,
  messages: { email: { before: 3, after: 3 } },
  rules,
})

describe("a backtest in a pull request", () => {
  test("has its marker first, then one sentence, then a line for each rule, then the examples, folded", () => {
    const lines = backtestMarkdown(report([change("overdue")])).split("\n")
    expect(lines.slice(0, 4)).toEqual([
      MARKER,
      "### Rules: 1 of 1 rule would act differently: 3 messages as before",
      "",
      "`aaaaaaaaaaaa` → `bbbbbbbbbbbb+dirty.0123456789ab`",
    ])
    expect(lines).toContain(
      "| `overdue` | 1,000 → 1,200 (+250, −50) | 2 (+1, −1) | email 3 | no address 0 → 1, failed 0 → 2 |",
    )
    expect(lines).toContain("<details><summary><code>overdue</code>: examples</summary>")
    expect(lines).toContain("250 events that match now and did not before, 1 of them:")
  })

  test("says what could not be replayed", () => {
    const text = backtestMarkdown(report([], { unreadable: 3, out_of_order: 1, limited: true }))
    expect(text).toContain("### Rules: nothing would be different")
    expect(text).toContain("- Not replayable: 3 events whose payload is gone or cannot be read.")
    expect(text).toContain("- Not replayable: 1 event out of order, by a clock that was wrong.")
    expect(text).toContain("- There are more events: --limit was reached.")
  })

  test("holds names and values in code, which nothing in them ends: no link, no mention, no row, no HTML", () => {
    const nasty = "a`b``c|d\n<b>@team</b> [x](y) -->"
    const text = backtestMarkdown(report([change(nasty, nasty)]))
    expect(text).toContain("| ```a`b``c\\|d <b>@team</b> [x](y) -->``` |")
    expect(text).toContain("<summary><code>a`b``c|d &lt;b&gt;@team&lt;/b&gt; [x](y) --&gt;</code>: examples</summary>")
    expect(text).toContain("  - before: ```a`b``c|d <b>@team</b> [x](y) -->```")
  })

  test("ends a span of code only where it ends", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const span = code(text)
        const fence = /^`+/.exec(span)?.[0] ?? ""
        const inner = span.slice(fence.length, -fence.length)
        expect(span.endsWith(fence)).toBe(true)
        for (const [run] of inner.matchAll(/`+/g)) expect(run.length).not.toBe(fence.length)
        expect(span).not.toMatch(/[\r\n]/)
      }),
    )
  })

  test("fits into a comment, however many rules differ", () => {
    const clause = "x".repeat(300)
    const text = backtestMarkdown(
      report(Array.from({ length: 400 }, (_, i) => change(`rule-${i}-${"n".repeat(80)}`, clause))),
    )
    expect(text.length).toBeLessThan(65_536)
    expect(text).toContain("| and 300 more |")
    expect(text).toMatch(/The examples of \d+ more rules do not fit here\./)
    expect(text).toContain("- Replayed: 1,234,567 recorded events")
  })
})

describe("a backtest on a terminal", () => {
  test("lets no control character through", () => {
    const text = backtestText(report([change("a\u001b[2Jb", "c\rd")]))
    expect(text).toContain("a [2Jb  rules/a.yaml:1:1")
    expect(text.replaceAll("\n", "")).not.toMatch(/\p{Cc}/u)
    expect(text).toContain("  events matched  1,000 → 1,200 (+250, −50)")
  })
})
