/** That no door compares a secret letter by letter, by reading the doors: a clock would show it only on a quiet day. */
import { describe, expect, test } from "bun:test"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"

describe("what is secret is compared in constant time", () => {
  /** Lines that compare something named like a secret with an operator that stops at the first difference. */
  const suspicious = (text: string): readonly string[] =>
    text
      .split("\n")
      .filter((line) => !/^\s*(\*|\/\/|\/\*)/.test(line))
      .filter((line) =>
        /\b\w*(signature|hmac|digest|secret|apiKey|\.hash|given)\w*(\(\))?\s*[!=]==\s*(?!null|undefined|""|0\b|typeof)\w|[!=]==\s*\w*(\.)?(signature|hmac|digest|secret|hash)\w*\b|\b(signature|hmac|digest|secret|hash)\w*\.(equals|localeCompare|startsWith)\(/i.test(
          line,
        ),
      )

  test("a comparison that stops early is seen", () => {
    expect(suspicious("  if (signature === wanted) return true\n")).toHaveLength(1)
    expect(suspicious("  return expected === signature\n")).toHaveLength(1)
    expect(suspicious("  return found.hash.equals(hashOfKey(key))\n")).toHaveLength(1)
    expect(suspicious("  if (secret === null) return false\n  return timingSafeEqual(a, b)\n")).toHaveLength(0)
  })

  test("no door does: keys and signatures go through timingSafeEqual, or are found by their hash", () => {
    const doors = ["http", "inbound", "ingest"].flatMap((room) =>
      readdirSync(join(import.meta.dir, room))
        .filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"))
        .map((file) => join(import.meta.dir, room, file)),
    )
    expect(doors.length).toBeGreaterThan(40)
    const texts = doors.map((file) => ({ file, text: readFileSync(file, "utf8") }))
    expect(texts.flatMap(({ file, text }) => suspicious(text).map((line) => `${file}: ${line.trim()}`))).toEqual([])
    const equal = texts
      .filter(({ text }) => text.includes("timingSafeEqual("))
      .map(({ file }) => file.replace(/.*\//, ""))
    expect(equal).toContain("key-ring.ts")
    expect(equal.some((file) => file.includes("webhook") || file.includes("signature"))).toBe(true)
  })
})
