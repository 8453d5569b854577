// The 56 behaviours that somebody who knows supervisor.erl looks for. Each has a test whose title begins with its number.

import { expect, test } from "bun:test"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"

const TITLE = /[(]\s*["'`](\d+): /g
const numbersIn = (text: string): number[] => [...text.matchAll(TITLE)].map(([, number]) => Number(number))

test("every one of the 56 behaviours is shown by a test", () => {
  expect(numbersIn('test("7: words")\n test("7 no colon")')).toEqual([7])
  const files = readdirSync(import.meta.dir).filter((name) => name.endsWith(".test.ts") && name !== "checklist.test.ts")
  const shown = new Set(files.flatMap((name) => numbersIn(readFileSync(join(import.meta.dir, name), "utf8"))))
  const wanted = Array.from({ length: 56 }, (_, at) => at + 1)
  expect(wanted.filter((number) => !shown.has(number))).toEqual([])
})
