import { expect, test } from "bun:test"
import { findChromium } from "./browser.ts"

test("a browser that is asked for and does not start is named, and no other is taken instead", () => {
  expect(findChromium({ ...process.env, CHROMIUM_BIN: "/nowhere/chromium" })).toEqual({
    kind: "none",
    why: "CHROMIUM_BIN does not start: /nowhere/chromium",
  })
})
