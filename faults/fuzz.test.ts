/** Hostile bytes in short, and proof that they find what is there: hubs with one rare bug each. */
import { expect, test } from "bun:test"
import { join } from "node:path"
import { fuzzing, hunt } from "./45-fuzz.ts"
import { shows } from "./shown.ts"

shows(fuzzing, "100,000 hostile inputs: never a 5xx, never an end or a standstill, and whoever behaves is served")

/** A hub with this bug is noticed within some inputs, and what is said of it names it. */
const finds = (bug: string, file: string, where: "http" | "frames", said: RegExp): void =>
  test(`45 finds a bug: ${bug}`, async () => {
    const preload = join(import.meta.dirname, "mutants", file)
    const { findings } = await hunt({ http: 0, frames: 0, messages: 0, [where]: 30_000 }, { name: bug, preload }, 45)
    expect(findings.join("\n")).toMatch(said)
  }, 180_000)

finds("one value of one parameter is answered 500", "throws-on-nul.ts", "http", /answered 500, .*%00/)
finds(
  "one frame leaves a promise that rejects",
  "rejects-an-odd-frame.ts",
  "frames",
  /the log says uncaught: .*a topic without a name/,
)
finds("one name in a body takes two seconds", "stands-still.ts", "http", /stood still|the hub ended: 75|was not served/)
