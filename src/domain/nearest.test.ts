import { expect, test } from "bun:test"
import fc from "fast-check"
import { nearest } from "./nearest.ts"

const words = ["channels", "template", "priority", "conditions"]

test("a word with a slip of the finger is recognised", () => {
  for (const wrong of ["chanels", "channel", "Channels", "cahnnels", "channelss"])
    expect(nearest(wrong, words)).toBe("channels")
})

test("a word that is nothing like any is not guessed at", () => {
  expect(nearest("webhook", words)).toBeNull()
  expect(nearest("", words)).toBeNull()
})

test("a right word is its own nearest, and the answer is always one of the words", () => {
  fc.assert(
    fc.property(fc.array(fc.string({ minLength: 1 }), { minLength: 1 }), fc.string(), (list, wrong) => {
      const found = nearest(wrong, list)
      if (found !== null) expect(list).toContain(found)
      const [first = ""] = list
      expect(nearest(first, list)?.toLowerCase()).toBe(first.toLowerCase())
    }),
  )
})
