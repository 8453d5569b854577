import { describe, expect, test } from "bun:test"
import { fakeClock } from "../testing/fake-clock.ts"
import { clockFinding, examine, ok } from "./check.ts"

describe("checks", () => {
  test("are made at once and shown in their order; one that throws or hangs is a finding, and its secret is not", async () => {
    const clock = fakeClock()
    const begun: string[] = []
    const aborted: string[] = []
    const checked = examine(
      [
        {
          name: "hangs",
          run(signal) {
            begun.push("hangs")
            signal.addEventListener("abort", () => aborted.push("hangs"))
            return new Promise(() => {})
          },
        },
        {
          name: "throws",
          async run() {
            begun.push("throws")
            throw new Error("no such thing at postgres://me:s3cret@host/db")
          },
        },
        {
          name: "works",
          async run() {
            begun.push("works")
            return { findings: [ok("works", "well")] }
          },
        },
      ],
      clock,
      15_000,
    )
    expect(begun).toEqual(["hangs", "throws", "works"])
    await clock.advance(15_000)
    const { findings } = await checked
    expect(findings.map(({ check, status }) => [check, status])).toEqual([
      ["hangs", "fail"],
      ["throws", "fail"],
      ["works", "ok"],
    ])
    expect(findings[0]?.detail).toBe("no answer within 15 s")
    expect(findings[1]?.detail).toContain("no such thing")
    expect(JSON.stringify(findings)).not.toContain("s3cret")
    expect(aborted).toEqual(["hangs"])
    expect(clock.pending).toBe(0)
  })

  test.each([
    [[], "ok", "there is no other clock"],
    [[{ from: "a", leastMs: -900, mostMs: 300 }], "ok", "0.0 s ahead of a"],
    [[{ from: "a", leastMs: 1_900, mostMs: 2_900 }], "ok", "1.9 s ahead of a"],
    [[{ from: "a", leastMs: 2_100, mostMs: 3_100 }], "warn", "2.1 s ahead of a"],
    [
      [
        { from: "a", leastMs: 0, mostMs: 5 },
        { from: "b", leastMs: -9_000, mostMs: -8_000 },
      ],
      "warn",
      "0.0 s ahead of a, 8.0 s behind b",
    ],
  ] as const)("of the clock go by what is certain: %j", (clocks, status, detail) => {
    const finding = clockFinding(clocks)
    expect(finding.status).toBe(status)
    expect(finding.detail).toStartWith(detail)
  })
})
