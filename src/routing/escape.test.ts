import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import {
  absoluteLink,
  cutHtml,
  cutMrkdwn,
  cutText,
  escapeHtml,
  escapeSlack,
  oneLine,
  plainText,
  safeLink,
  unsafeAttribute,
} from "./escape.ts"
import { htmlToText } from "./html-text.ts"

const visible = (html: string): string => html.replace(/<[^>]*>/g, "").replace(/&[a-z0-9#]+;/gi, "x")

describe("a value stays a value", () => {
  test("in HTML nothing of it is markup", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(escapeHtml(text)).not.toMatch(/[<>"']/)
        expect(htmlToText(`<b>${escapeHtml(text)}</b>`)).toBe(text.replace(/\s+/g, " ").trim())
      }),
    )
  })

  test("in Slack nobody is called and nothing is a link", () => {
    expect(escapeSlack("<!channel> <@U123> <https://evil.example|bank> & @here @everyone a@channel.example")).toBe(
      "&lt;!channel&gt; &lt;@U123&gt; &lt;https://evil.example|bank&gt; &amp; @\u200bhere @\u200beveryone a@\u200bchannel.example",
    )
  })

  test("in a header it has no line breaks", () => {
    expect(oneLine("Invoice\r\nBcc: all@example.com\u2028x\u0000y")).toBe("Invoice Bcc: all@example.com x y")
  })

  test("in plain text it has no control characters, and keeps its line breaks", () => {
    expect(plainText("a\r\nb\u0007\u001b[31mc\td")).toBe("a\nb[31mc\td")
  })
})

describe("a cut", () => {
  test("of text never leaves half a character", () => {
    expect(cutText("ab😀cd", 4)).toBe("ab…")
    expect(cutText("abcd", 4)).toBe("abcd")
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.integer({ min: 2, max: 20 }), (text, max) => {
        const cut = cutText(text, max)
        expect(cut.length).toBeLessThanOrEqual(Math.max(max, 1))
        expect(cut.isWellFormed()).toBe(true)
      }),
    )
  })

  test("of Telegram's HTML closes what it opened and counts what is read", () => {
    expect(cutHtml("<b>hello <i>world</i></b>", 100)).toBe("<b>hello <i>world</i></b>")
    expect(cutHtml("<b>hello <i>world</i></b>", 9)).toBe("<b>hello <i>wo…</i></b>")
    expect(cutHtml("&amp;&amp;&amp;", 3)).toBe("&amp;&amp;&amp;")
    expect(cutHtml("&amp;&amp;&amp;&amp;", 3)).toBe("&amp;&amp;…")
    const long = `<b>${"a&lt;".repeat(5_000)}</b>`
    const cut = cutHtml(long, 4_096)
    expect(visible(cut).length).toBe(4_096)
    expect(cut).toEndWith("…</b>")
  })

  test("of Slack's text ends within no entity and no link", () => {
    expect(cutMrkdwn("abc &amp; def", 7)).toBe("abc …")
    expect(cutMrkdwn("see <https://example.com|it> now", 15)).toBe("see …")
  })
})

describe("a link", () => {
  test.each([
    ["/invoices/1", "/invoices/1"],
    ["https://example.com/a?b=c", "https://example.com/a?b=c"],
    ["mailto:a@example.com", "mailto:a@example.com"],
    ["javascript:alert(1)", null],
    ["JavaScript:alert(1)", null],
    ["java\nscript:alert(1)", null],
    [" javascript:alert(1)", null],
    ["data:text/html,x", null],
    ["vbscript:x", null],
    ["file:///etc/passwd", null],
    ["//evil.example/x", null],
    ["/\\evil.example", null],
    ["invoices/1", null],
    ["", null],
  ])("%j may be given as %j", (link, expected) => {
    expect(safeLink(link)).toBe(expected)
  })

  test("that is a path is put behind the public address and its prefix", () => {
    expect(absoluteLink("/invoices/1", "https://hub.example/erp/")).toBe("https://hub.example/erp/invoices/1")
    expect(absoluteLink("https://x.example/1", "https://hub.example")).toBe("https://x.example/1")
  })

  test.each([
    ['<a href="https://example.com">x</a>', null],
    ['<a href="javascript:alert(1)">x</a>', "href"],
    ["<a href='java&#115;cript:alert(1)'>x</a>", "href"],
    ["<img src=data:text/html,x>", "src"],
    ["<p>javascript: is a language, data: too</p>", null],
  ])("inside of HTML: %s", (html, attribute) => {
    expect(unsafeAttribute(html)).toBe(attribute)
  })
})

describe("the text part of an e-mail", () => {
  test("has the words, the addresses of links, and no markup", () => {
    const html = `<!doctype html><html><head><title>No</title><style>p{}</style></head><body>
      <h1>Invoice&nbsp;1</h1><p>Dear <b>Ali &amp; sons</b>,<br>you owe 5&nbsp;&lt;coins&gt;.</p><!-- <p>no</p> -->
      <ul><li>one</li><li>two</li></ul><table><tr><td>a</td><td>b</td></tr><tr><td>c</td><td>d</td></tr></table>
      <script>alert("no")</script><p><a href="https://example.com/1?a=1&amp;b=2">Open</a> <a href="https://x.example">https://x.example</a></p></body></html>`
    expect(htmlToText(html)).toBe(
      "Invoice 1\n\nDear Ali & sons,\nyou owe 5 <coins>.\n\n- one\n- two\n\na b\n\nc d\n\nOpen (https://example.com/1?a=1&b=2) https://x.example",
    )
  })

  test("takes time in proportion to the HTML, whatever it is", () => {
    const began = performance.now()
    for (const piece of ["<a ", "<", "<!--", "<script>", "&#", "<a href='x'>", "<head><"])
      htmlToText(piece.repeat(20_000))
    expect(performance.now() - began).toBeLessThan(2_000)
  })
})
