import { describe, expect, test } from "bun:test"
import type { PersonalChannel } from "../domain/channel.ts"
import type { JsonObject } from "../domain/json.ts"
import type { Message } from "../domain/message.ts"
import type { NotificationContent } from "../domain/notification.ts"
import type { Recipient } from "../domain/recipient.ts"
import { recipient } from "../testing/builders.ts"
import { hubEvent, oneRule, type RuleFiles, refusals, ruleSetOf } from "../testing/rule-fixtures.ts"
import { factsOf, itemOf } from "./facts.ts"
import { sampleLinks } from "./links.ts"
import { type Rendering, renderContent, renderMessage, TemplateFailed } from "./render.ts"
import { localeChain } from "./templates.ts"

const HUB = "https://hub.example"
const HOSTILE = `<script>alert("x")</script> & 'y' <!channel> @here\r\nBcc: z`

/** The rendering of template `t` for an event with this payload; `action` are further lines of the rule's action. */
async function rendering(files: RuleFiles, payload: JsonObject = {}, action = ""): Promise<Rendering> {
  const title = { "templates/t/inapp.eta": "---\ntitle: A title\nsubject: A subject\n---\n" }
  const channels = "to: { roles: [r] }\nchannels: [inapp]\ntemplate: t\n"
  const set = await ruleSetOf({ ...title, ...files, "rules/a.yaml": oneRule({ action: `${channels}${action}` }) })
  const loaded = set.rules[0]?.actions[0]
  if (loaded?.type !== "notify") throw new Error("the rule has an action")
  const facts = factsOf(hubEvent({ payload }))
  const events = [itemOf(facts)]
  return {
    templates: set.templates,
    action: loaded,
    facts,
    events,
    publicUrl: HUB,
    links: sampleLinks(HUB),
    postalAddress: "1 Rose Street",
  }
}

const reader = (changes: Partial<Recipient> = {}): Recipient => recipient("u1", changes)

async function content(files: RuleFiles, payload?: JsonObject, action?: string): Promise<NotificationContent> {
  return renderContent(await rendering(files, payload, action), reader())
}

async function message<C extends PersonalChannel>(
  channel: C,
  files: RuleFiles,
  payload?: JsonObject,
  changes: Partial<Recipient> = {},
  action?: string,
): Promise<Extract<Message, { channel: C }>> {
  const made = renderMessage(await rendering(files, payload, action), channel, reader(changes), "address")
  return made as Extract<Message, { channel: C }> // the channel is the one that was asked for
}

describe("a hostile value", () => {
  const files = (channel: string) => ({
    [`templates/t/${channel}.eta`]:
      "---\nsubject: About <%= it.payload.x %>\ntitle: About <%= it.payload.x %>\n---\n<b>Dear</b> <%= it.payload.x %>!",
  })

  test("is escaped in an e-mail's HTML, and its subject stays one line", async () => {
    const mail = await message("email", files("email"), { x: HOSTILE })
    expect(mail.html).toContain("<b>Dear</b> &lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; &#39;y&#39;")
    expect(mail.subject).toBe(`About <script>alert("x")</script> & 'y' <!channel> @here Bcc: z`)
    expect(mail.text).toStartWith(`Dear <script>alert("x")</script> & 'y'`)
  })

  test("is escaped in Telegram's HTML", async () => {
    const { html } = await message("telegram", files("telegram"), { x: HOSTILE })
    expect(html).toStartWith("<b>Dear</b> &lt;script&gt;")
  })

  test("calls nobody in Slack", async () => {
    const { text } = await message("slack", { "templates/t/slack.eta": "*Dear* <%= it.payload.x %>" }, { x: HOSTILE })
    expect(text).toStartWith(`*Dear* &lt;script&gt;alert("x")`)
    expect(text).toContain("&lt;!channel&gt; @\u200bhere")
  })

  test("is plain in an SMS and in the inbox, as it was sent", async () => {
    const { text } = await message("sms", { "templates/t/sms.eta": "Dear <%= it.payload.x %>" }, { x: "A & <B>" })
    expect(text).toBe("Dear A & <B>")
    const item = await content(files("inapp"), { x: "A & <B>\r\nC" })
    expect(item).toMatchObject({ title: "About A & <B> C", body: "<b>Dear</b> A & <B>\nC!" })
  })

  test("is escaped where the default's plain text becomes a channel's markup", async () => {
    const byDefault = { "templates/t/default.eta": "Dear <%= it.payload.x %>\n\n1 < 2" }
    expect((await message("telegram", byDefault, { x: "<i>" })).html).toBe("Dear &lt;i&gt;\n\n1 &lt; 2")
    expect((await message("slack", byDefault, { x: "<i>" })).text).toBe("Dear &lt;i&gt;\n\n1 &lt; 2")
    const titled = { "templates/t/default.eta": `---\ntitle: T\n---\n${byDefault["templates/t/default.eta"]}` }
    const mail = await message("email", titled, { x: "<i>" })
    expect(mail.html).toContain("<p>Dear &lt;i&gt;</p>\n<p>1 &lt; 2</p>")
    expect(mail).toMatchObject({ subject: "T", text: "Dear <i>\n\n1 < 2" })
  })

  test("is one part of a link, and never a way out of it", async () => {
    const link = async (x: string, url: string) => (await content({}, { x }, `action_url: ${url}`)).actionUrl
    expect(await link("../admin?a=1#b", "/invoices/<%= it.payload.x %>")).toBe("/invoices/..%2Fadmin%3Fa%3D1%23b")
    expect(await link("/evil.example", "/<%= it.payload.x %>")).toBe("/%2Fevil.example")
    expect(await link("https://shop.example/o?id=1", '"<%= it.payload.x %>"')).toBe("https://shop.example/o?id=1")
    await expect(link("javascript:alert(1)", '"<%= it.payload.x %>"')).rejects.toThrow("action_url is no link")
    await expect(link("//evil.example", '"<%= it.payload.x %>"')).rejects.toThrow(TemplateFailed)
  })

  test("cannot put a script behind a link in an e-mail", async () => {
    const files = { "templates/t/email.eta": '---\nsubject: S\n---\n<a href="<%= it.payload.x %>">x</a>' }
    await expect(message("email", files, { x: "javascript:alert(1)" })).rejects.toThrow("href is no link")
  })
})

describe("a value that is not there", () => {
  const body = (text: string) => ({ "templates/t/sms.eta": text })
  test.each([
    ["a missing value", "<%= it.payload.x %>", "templates/t/sms.eta: body: it.payload.x is missing"],
    ["null", "<%= it.payload.nil %>", "it.payload.nil is missing"],
    ["a value of something missing", "<%= it.payload.x.y %>", "templates/t/sms.eta: body: "],
    ["a value in a condition", "<% if (it.payload.x.y) { %>a<% } %>", "templates/t/sms.eta: body: "],
    ["an object", "<%= it.payload.obj %>", "it.payload.obj is no text"],
    ["a number that is none", "<%= it.payload.x * 2 %>", "it.payload.x * 2 is no text"],
    ["one hidden in a text", "<%= 'for ' + it.payload.x %>", 'says "undefined"'],
    ["a number hidden in a text", "<%= Number(it.payload.x).toFixed(2) %>", 'says "NaN"'],
    ["one printed raw", "<%~ it.payload.x %>", "it.payload.x is missing"],
    ["a function", "<%= it.payload.toString %>", "it.payload.toString is no text"],
  ])("%s is an error that names the template and the expression", async (_, template, expected) => {
    await expect(message("sms", body(template), { nil: null, obj: { a: 1 } })).rejects.toThrow(expected)
  })

  test("may be said to be optional", async () => {
    const { text } = await message("sms", body('<%= it.payload?.x ?? "someone" %> <%= it.payload.list %>'), {
      list: [1, "b"],
    })
    expect(text).toBe("someone 1, b")
  })

  test("is not confused with a word that the event really holds", async () => {
    expect((await message("sms", body("<%= it.payload.x %>"), { x: "undefined behaviour" })).text).toBe(
      "undefined behaviour",
    )
  })

  test("never leaves an empty message", async () => {
    await expect(message("sms", body("<%= it.payload.x %>"), { x: " " })).rejects.toThrow("the body is empty")
    await expect(
      content({ "templates/t/inapp.eta": '---\ntitle: "<%= it.payload.x %>"\n---\n' }, { x: "" }),
    ).rejects.toThrow("title is empty")
  })

  test("an error in a template never shows the event's data", async () => {
    const failed = await message("sms", body("<%= it.payload.x.y.z %>"), { x: { secret: "hunter2" } }).catch(
      (error: unknown) => error,
    )
    expect(String(failed)).not.toContain("hunter2")
  })
})

describe("the choice of a template", () => {
  const say = (path: string) => ({ [`templates/t/${path}.eta`]: `---\nsubject: S\n---\n${path}` })
  const all = ["email.ar-iq", "email.ar", "email", "default.ar", "default"]
  const chosen = async (paths: readonly string[], locale: string | null) => {
    const files = Object.assign({}, ...paths.map(say))
    return (await message("email", { ...files }, {}, { locale })).text
  }

  test("goes from the channel's own in the reader's locale to the plain default", async () => {
    expect(await chosen(all, "ar-IQ")).toBe("email.ar-iq")
    expect(await chosen(all, "ar")).toBe("email.ar")
    expect(await chosen(all, "ar_EG")).toBe("email.ar")
    expect(await chosen(all, "fr")).toBe("email")
    expect(await chosen(all, null)).toBe("email")
    expect(await chosen(["email", "default.ar", "default"], "ar")).toBe("email")
  })

  test("takes the default where the channel has none of its own", async () => {
    const files = { ...say("default.ar"), ...say("default") }
    expect((await message("sms", files, {}, { locale: "ar-IQ" })).text).toBe("default.ar")
    expect((await message("sms", files, {}, { locale: "en" })).text).toBe("default")
  })

  test("a locale's chain goes from narrow to wide", () => {
    expect(localeChain("zh_Hant-TW")).toEqual(["zh-hant-tw", "zh-hant", "zh"])
    expect(localeChain(null)).toEqual([])
  })

  test("short texts that the channel's own lacks come from the default", async () => {
    const files = {
      "templates/t/default.eta": "---\ntitle: From default\naction_label: Open\n---\nx",
      "templates/t/email.eta": "<p>y</p>",
    }
    expect(await message("email", files)).toMatchObject({ subject: "From default", actionLabel: "Open" })
  })
})

describe("words", () => {
  test("of the rule come before the template's, and data is rendered", async () => {
    const files = { "templates/t/inapp.eta": "---\ntitle: T\naction_url: /template\naction_label: Template\n---\nb" }
    const action =
      'action_url: /rule/<%= it.payload.id %>\naction_label: "Open <%= it.payload.id %>"\ndata: { id: "<%= it.payload.id %>" }'
    expect(await content(files, { id: 7 }, action)).toEqual({
      title: "T",
      body: "b",
      actionUrl: "/rule/7",
      actionLabel: "Open 7",
      data: { id: "7" },
    })
    expect(await content(files, { id: 7 })).toMatchObject({
      actionUrl: "/template",
      actionLabel: "Template",
      data: null,
    })
  })

  test("of a message have the absolute link, also inside of the body", async () => {
    const files = { "templates/t/sms.eta": "---\naction_url: /i/1\n---\nSee <%= it.links.action %>" }
    expect(await message("sms", files)).toMatchObject({
      text: "See https://hub.example/i/1",
      actionUrl: "https://hub.example/i/1",
    })
  })

  test("can name the reader, and come from layouts and partials", async () => {
    const files = {
      "templates/_layouts/mail.eta": "<html><%~ it.body %><%~ include('../_partials/foot', { who: 'us' }) %></html>",
      "templates/_partials/foot.eta": "<i><%= it.who %></i>",
      "templates/t/email.eta":
        '---\nsubject: S\n---\n<% layout("/_layouts/mail") %>\n<p>Hello <%= it.recipient.name ?? "you" %></p>',
    }
    expect((await message("email", files, {}, { name: "Zaynab <3" })).html).toBe(
      "<html><p>Hello Zaynab &lt;3</p><i>us</i></html>",
    )
  })

  test("keep the line breaks after values, and lose the lines of code", async () => {
    const text = "<% const a = it.payload.a %>\nA: <%= a %>\nB: <%= it.payload.b %>\n<% if (a) { %>\nC\n<% } %>\nD\n"
    expect((await message("sms", { "templates/t/sms.eta": text }, { a: 1, b: 2 })).text).toBe("A: 1\nB: 2\nC\nD")
  })

  test("are cut at each channel's limit", async () => {
    const x = "😀".repeat(10_000)
    const print = "<%= it.payload.x %>"
    const title = `---\ntitle: ${print}\nsubject: ${print}\n---\n${print}`
    expect((await message("sms", { "templates/t/sms.eta": print }, { x })).text.length).toBeLessThanOrEqual(1_600)
    expect((await message("telegram", { "templates/t/telegram.eta": print }, { x })).html.length).toBeLessThanOrEqual(
      4_096,
    )
    expect((await message("slack", { "templates/t/slack.eta": print }, { x })).text.length).toBeLessThanOrEqual(3_000)
    expect((await message("email", { "templates/t/email.eta": title }, { x })).subject.length).toBeLessThanOrEqual(200)
    expect((await content({ "templates/t/inapp.eta": title }, { x })).title.isWellFormed()).toBe(true)
    expect((await message("sms", { "templates/t/sms.eta": print }, { x: "x".repeat(70_000) })).text.length).toBe(1_000)
  })

  test("are sent however long a name is: the name is cut where the words would be too long, and a link of such a length goes", async () => {
    const files = {
      "templates/t/email.eta":
        "---\nsubject: <%= it.payload.name %>\naction_url: /a/<%= it.payload.name %>\n---\n<p><b><%= it.payload.name %></b> owes <%= it.payload.sum %>.</p>",
    }
    const name = "<&>".repeat(17_000)
    const mail = await message("email", files, { name, sum: 5 })
    expect(mail.html).toEndWith("…</b> owes 5.</p>")
    expect(mail.html.length).toBeLessThan(6_000)
    expect(mail.actionUrl).toBeNull()
    expect((await message("email", files, { name: "a".repeat(20_000), sum: 5 })).html.length).toBe(20_022)
  })

  test("of very many events in one digest are cut at their end, as HTML that is closed", async () => {
    const rows = "<table><% for (const n of it.payload.list) { %><tr><td><%= n %></td></tr><% } %></table>"
    const list = Array.from({ length: 5_000 }, (_, n) => `event number ${n}`)
    const mail = await message("email", { "templates/t/email.eta": `---\nsubject: s\n---\n${rows}` }, { list })
    expect(mail.html).toStartWith("<table><tr><td>event number 0</td></tr>")
    expect(mail.html).toEndWith("…</td></tr></table>")
    expect(mail.html.length).toBeLessThan(65_536)
  })

  test("of a template that loops without an end are none, it costs a second, and after some tries nothing", async () => {
    const files = { "templates/t/sms.eta": "<% for (;;) { try { for (;;) {} } catch {} } %>x" }
    const made = await rendering(files)
    const rendered = () => renderMessage(made, "sms", reader(), "address")
    for (const _ of [1, 2, 3])
      expect(rendered).toThrow("templates/t/sms.eta: body: does not end: stopped after 1000 ms")
    const began = performance.now()
    for (let n = 0; n < 1_000; n += 1) expect(rendered).toThrow("did not end 3 times")
    expect(performance.now() - began).toBeLessThan(400)
  })

  test("that a template prints without an end are no words, and end it", async () => {
    const endless = "<% for (;;) { %><%= it.payload.x %><% } %>"
    await expect(message("sms", { "templates/t/sms.eta": endless }, { x: "x" })).rejects.toThrow(
      /more than 1048576|does not end/,
    )
  })
})

describe("a template that cannot work is refused with its place", () => {
  test.each([
    ["a tag that is not closed", "t/sms.eta", "one\ntwo <%= it.payload.x", "templates/t/sms.eta:2:5 unclosed tag"],
    ["an expression that is none", "t/sms.eta", "one\ntwo <%= it.payload.x( %> <%= 1 %>", "templates/t/sms.eta:2:5 "],
    ["a block that is not closed", "t/sms.eta", "a\n\n<% if (true) { %>b", "templates/t/sms.eta:3:1 "],
    ["behind front matter", "t/sms.eta", "---\ntitle: x\n---\n\n <%= it.payload.x( %>", "templates/t/sms.eta:5:2 "],
    [
      "an unknown key in front matter",
      "t/sms.eta",
      "---\n\ntitel: x\n---\n",
      'templates/t/sms.eta:3:1 unknown key "titel" in front matter, expected one of title, subject, action_url, action_label; did you mean "title"?',
    ],
    [
      "a broken text in front matter",
      "t/sms.eta",
      "---\ntitle: Hi <%= it.payload.x( %>\n---\n",
      "templates/t/sms.eta:2:11 ",
    ],
    [
      "an unknown variable",
      "t/sms.eta",
      "<%= it.payload.a %>\n<%= it.recipient.nam %>",
      'templates/t/sms.eta:2:1 the variable "it.recipient.nam", expected it.recipient. and one of id, name, locale, timezone; did you mean "it.recipient.name"?',
    ],
    [
      "a variable without its `it.`",
      "t/sms.eta",
      "for <%= payload.customer %>",
      'templates/t/sms.eta:1:5 the variable "payload", expected it. and one of event, payload, events, recipient, links; did you mean "it.payload"?',
    ],
    ["an unknown field of the event", "t/sms.eta", "<%= it.event.typ %>", 'did you mean "it.event.type"?'],
    [
      "an unknown channel",
      "t/emial.eta",
      "x",
      'templates/t/emial.eta:1:1 unknown channel "emial", expected one of inapp, email, sms, voice, telegram, slack, push, default; did you mean "email"?',
    ],
    [
      "a locale that is none",
      "t/email.arabic_.eta",
      "x",
      'templates/t/email.arabic_.eta:1:1 the file name "email.arabic_.eta", expected email.eta or email.<locale>.eta',
    ],
    ["a template outside of a folder", "t.eta", "x", "templates/t.eta:1:1 a template in the wrong place"],
    [
      "a partial that is not there",
      "t/sms.eta",
      "a\n<%~ include('/_partials/no') %>",
      "templates/t/sms.eta:2:1 there is no template /_partials/no.eta",
    ],
  ])("%s", async (_, path, text, expected) => {
    const errors = await refusals({ [`templates/${path}`]: text })
    expect(errors.length).toBe(1)
    expect(errors[0]).toContain(expected)
  })

  test.each([
    "<% for (const event of it.payload.events) { %><%= event.name %><% } %>",
    "<% it.payload.events.forEach((event, i) => { %><%= event.name %><% }) %>",
    "<% it.payload.events.forEach(event => { %><%= event.name %><% }) %>",
    "<% const { payload } = it %><%= payload.name %>",
    "<% function line(event) { %><%= event.name %><% } %>",
  ])("but not a name that the template makes itself: %s", async (text) => {
    expect(await refusals({ "templates/t/sms.eta": text })).toEqual([])
  })

  test("a rule's channel for which its template has no words", async () => {
    const action = "to: { roles: [r] }\nchannels: [inapp, sms]\ntemplate: t"
    expect(await refusals({ "templates/t/inapp.eta": "no title", "rules/a.yaml": oneRule({ action }) })).toEqual([
      'rules/a.yaml:7:20 the template "t" has no words for inapp, expected "title:" in the front matter of t/inapp.eta or t/default.eta',
      'rules/a.yaml:7:27 the template "t" has no words for sms, expected t/sms.eta or t/default.eta',
    ])
  })
})
