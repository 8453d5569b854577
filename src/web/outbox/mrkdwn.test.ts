import { expect, test } from "bun:test"
import fc from "fast-check"
import { textOf } from "./marked.ts"
import { readMrkdwn } from "./mrkdwn.ts"

test("marks, code, emoji and entities are read", () => {
  expect(readMrkdwn(":moneybag: *O'Neil &lt;Gulf&gt;* paid `INV-1` _late_ ~never~ &amp; well")).toEqual([
    "💰",
    " ",
    { tag: "b", children: ["O'Neil ", "<", "Gulf", ">"] },
    " paid ",
    { tag: "code", children: ["INV-1"] },
    " ",
    { tag: "i", children: ["late"] },
    " ",
    { tag: "s", children: ["never"] },
    " ",
    "&",
    " well",
  ])
})

test("a link keeps its address and shows its label", () => {
  expect(readMrkdwn("<https://a.example/x_y_z?a=1&amp;b=2|Open &amp; see>")).toEqual([
    { tag: "a", href: "https://a.example/x_y_z?a=1&b=2", children: ["Open & see"] },
  ])
  expect(readMrkdwn("<mailto:a@b.example>")).toEqual([
    { tag: "a", href: "mailto:a@b.example", children: ["a@b.example"] },
  ])
})

test("people, channels and everybody are mentions", () => {
  expect(readMrkdwn("<@U1|Rania> <#C1> <!here>").filter((one) => typeof one !== "string")).toEqual([
    { tag: "mention", children: ["@Rania"] },
    { tag: "mention", children: ["#C1"] },
    { tag: "mention", children: ["@here"] },
  ])
})

test("a mark inside a word, or beside a space, is only a character", () => {
  expect(readMrkdwn("snake_case_word")).toEqual(["snake_case_word"])
  expect(readMrkdwn("2 * 3 * 4")).toEqual(["2 * 3 * 4"])
  expect(readMrkdwn("*مهم*")).toEqual([{ tag: "b", children: ["مهم"] }])
})

test("quoted lines are one quotation, and fenced text keeps its marks", () => {
  expect(readMrkdwn("see\n&gt; one\n> two\nend")).toEqual(["see", { tag: "blockquote", children: ["one\ntwo"] }, "end"])
  expect(readMrkdwn("```a *b* &lt;```")).toEqual([{ tag: "pre", children: ["a *b* <"] }])
  expect(textOf(readMrkdwn("``` never closed"))).toBe("``` never closed")
})

test("any text is read, and quickly", () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(..."*_~`<>|&;:! ab\n"), maxLength: 400 }), (text) => {
      readMrkdwn(text)
    }),
  )
  const began = performance.now()
  for (const piece of ["*a", "<", "`", "_a ", "~", ":a"]) readMrkdwn(piece.repeat(4_000))
  expect(performance.now() - began).toBeLessThan(2_000)
})
