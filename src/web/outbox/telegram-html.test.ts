import { expect, test } from "bun:test"
import { readTelegramHtml } from "./telegram-html.ts"

test("Telegram's tags and entities are read, other names for one mark too", () => {
  expect(
    readTelegramHtml('<b>Caf&#233; &amp; <em>Books</em></b> <a href="https://a.example/?x=1&amp;y=2">open</a>'),
  ).toEqual({
    marked: [
      { tag: "b", children: ["Café & ", { tag: "i", children: ["Books"] }] },
      " ",
      { tag: "a", href: "https://a.example/?x=1&y=2", children: ["open"] },
    ],
    refusal: null,
  })
})

test("escaped markup stays text", () => {
  expect(readTelegramHtml("&lt;b&gt;not bold&lt;/b&gt; &#39;")).toEqual({
    marked: ["<b>not bold</b> '"],
    refusal: null,
  })
})

test("what Telegram would refuse is named, and still shown", () => {
  expect(readTelegramHtml("<div>x</div>")).toEqual({
    marked: ["<div>", "x", "</div>"],
    refusal: "Telegram knows no <div>",
  })
  expect(readTelegramHtml("<b>open").refusal).toBe("<b> is never closed")
  expect(readTelegramHtml("<b><i>x</b></i>").refusal).toBe("</b> closes nothing here")
  expect(readTelegramHtml("<constructor>x").refusal).toBe("Telegram knows no <constructor>")
})
