import { describe, expect, test } from "bun:test"
import { join } from "node:path"
import { format, inspect } from "node:util"
import { Secret } from "./secret.ts"

const canary = "canary-4f1d8a"
const secret = new Secret(canary)

describe("a secret", () => {
  test("is read only by revealing it", () => {
    expect(secret.reveal()).toBe(canary)
  })

  const ways: readonly (readonly [string, () => string])[] = [
    ["a template literal", () => `${secret}`],
    ["concatenation", () => `x${String(secret)}`],
    ["JSON", () => JSON.stringify({ deep: [{ secret }] })],
    ["inspect", () => inspect({ secret }, { depth: 9, showHidden: true })],
    ["Bun.inspect", () => Bun.inspect({ nested: { secret } })],
    ["format", () => format("%s %o %O %j", secret, secret, secret, secret)],
    ["an error's message", () => new Error(`refused ${secret}`).message],
    ["an error's cause", () => inspect(new Error("refused", { cause: secret }))],
    ["its own keys", () => JSON.stringify([Object.keys(secret), Object.entries(secret), { ...secret }])],
    ["a structured clone", () => inspect(structuredClone({ secret }))],
    ["a number", () => String(Number(secret))],
  ]
  for (const [way, print] of ways) {
    test(`is not printed by ${way}`, () => {
      expect(print()).not.toContain(canary)
    })
  }

  test("is not printed by the console", async () => {
    const code = `
      import { Secret } from ${JSON.stringify(join(import.meta.dir, "secret.ts"))}
      const secret = new Secret(${JSON.stringify(canary)})
      console.log(secret, { secret }, [secret])
      console.error(secret)
      console.table([{ secret }])
      console.dir({ secret })
      throw secret`
    const child = Bun.spawn([process.execPath, "-e", code], { stdout: "pipe", stderr: "pipe" })
    const [out, err] = await Promise.all([child.stdout.text(), child.stderr.text()])
    await child.exited
    expect(out).toContain("«redacted»")
    // Bun quotes the source of what throws: only the lines that we printed count.
    expect(out).not.toContain(canary)
    expect(err.replaceAll(/^.*\d+ \|.*$/gm, "")).not.toContain(canary)
  })

  test("cannot be changed", () => {
    expect(Object.isFrozen(secret)).toBe(true)
  })
})
