/**
 * Bugs of delivery that its own tests catch, each shown to: the test runs once more, in a process whose source has the
 * bug, and must fail. A test that is gone, or a piece of source, fails loudly.
 */
import { describe, expect, test } from "bun:test"
import { join } from "node:path"

const ROOT = join(import.meta.dirname, "..")
const DEADLINE_MS = 120_000

/** The bug, the file under `mutants/`, the test's file under `src/`, and its name. */
const CAUGHT: readonly (readonly [bug: string, mutant: string, file: string, test: string])[] = [
  ["mark sent before send", "marked-before-sent", "delivery/races", "settle each attempt once"],
  ["no rescue", "no-rescue", "store/deliveries", "leaves living leases alone, and makes a lost one due"],
  ["no fence", "no-fence", "store/deliveries", "by a paused holder whose delivery was rescued"],
  ["counter not persisted", "counter-not-persisted", "store/deliveries", "counts the attempt before the work"],
  ["no jitter", "no-jitter", "domain/delivery", "full jitter"],
  ["429 permanent", "throttled-is-permanent", "channels/telegram", "a wish to wait in seconds is handed on"],
  ["4xx retried for ever", "refused-for-ever", "domain/delivery", "what is refused for good is tried once"],
  ["replay not idempotent", "replay-not-idempotent", "store/dead-letters", "with a replay id is done once"],
]

/** Runs that test alone; the exit code and what was said. */
async function run(preload: readonly string[], file: string, name: string) {
  const child = Bun.spawn(
    [process.execPath, "--no-env-file", "test", ...preload, "--timeout", "60000", "-t", name, `./src/${file}.test.ts`],
    { cwd: ROOT, env: process.env, stdin: "ignore", stdout: "ignore", stderr: "pipe" },
  )
  const said = await new Response(child.stderr).text()
  return { code: await child.exited, said }
}

describe("a bug that is planted in the source", () => {
  test.concurrent.each(CAUGHT)(
    '"%s" makes its test fail',
    async (_, mutant, file, name) => {
      const { code, said } = await run(["--preload", join(import.meta.dirname, "mutants", `${mutant}.ts`)], file, name)
      expect(said).not.toContain("mend the mutant")
      expect(said).toMatch(new RegExp(`\\(fail\\) .*${name}`))
      expect(said).toMatch(/^ 1 fail$/m)
      expect(code).toBe(1)
    },
    DEADLINE_MS,
  )
})
