import { describe, expect, test } from "bun:test"
import { asRecipientId, newDeliveryId, type RecipientId } from "../domain/ids.ts"
import { linkTokens } from "../domain/link-token.ts"
import { Secret } from "../domain/secret.ts"
import { hubEvent, oneRule, ruleFolders, ruleSetOf } from "../testing/rule-fixtures.ts"
import { withFooter, withStop } from "./advertising.ts"
import { factsOf } from "./facts.ts"
import { type Linked, linksOf, sampleLinks } from "./links.ts"
import { testRules } from "./rule-tests/test-rules.ts"
import { sampleWords } from "./sample-words.ts"

const id = (text: string): RecipientId => {
  const made = asRecipientId(text)
  if (made === null) throw new Error(`${text} is no id`)
  return made
}
const tokens = linkTokens([new Secret("k".repeat(44))])
const settings = { publicUrl: "https://hub.example/prefix/", tokens }
const offer = { category: "offers", commercial: true }
const linked: Linked = { readers: [id("u1"), id("u2")], told: newDeliveryId(0), at: 1_000 }
const tokenOf = (link: string | null): string => link?.split("/").at(-1) ?? ""

describe("links of a message", () => {
  test("are below the hub's public address, and name whom the message tells", () => {
    const links = linksOf(settings, offer, "email", "a@example.com", linked)
    expect(links.unsubscribe).toStartWith("https://hub.example/prefix/v1/unsubscribe/")
    expect(tokens.readUnsubscribe(tokenOf(links.unsubscribe))).toEqual({
      recipients: linked.readers,
      channel: "email",
      ...offer,
    })
    expect(tokens.readPreferences(tokenOf(links.preferences))).toMatchObject({ recipient: id("u1") })
    expect(tokens.readAcknowledge(tokenOf(links.acknowledge))).toBe(linked.told)
  })

  test("that speak for a person are not in what many read, nor is one that stops the inbox in the inbox", () => {
    const posted = linksOf(settings, offer, "slack", null, linked)
    expect(posted).toMatchObject({ preferences: null, unsubscribe: null, acknowledge: expect.any(String) })
    const item = linksOf(settings, offer, "inapp", null, linked)
    expect(item).toMatchObject({ preferences: expect.any(String), unsubscribe: null })
  })

  test("are samples, the same every time, where nothing is told", () => {
    const sample = sampleLinks("https://hub.example")
    expect(sample.acknowledge).toBe("https://hub.example/v1/acknowledge/sample")
    expect(linksOf({ publicUrl: "https://hub.example" }, offer, "email", "a", linked)).toEqual(sample)
  })
})

test("tests of rules and whoever explains one see samples of the links", async () => {
  const files = {
    "templates/t/default.eta":
      "---\ntitle: T\n---\nHave it: <%= it.links.acknowledge %> Stop: <%= it.links.unsubscribe %>",
    "rules/a.yaml": oneRule({ action: "to: { roles: [r] }\nchannels: [sms]\ntemplate: t\ncommercial: true" }),
  }
  const folders = await ruleFolders({
    ...files,
    "rules/a.test.yaml": `tests:
  - name: it
    recipients: [{ id: u1, roles: [r], phone: "+9647700000001", timezone: UTC }]
    events: [{ type: test.happened }]
    expect:
      - { to: u1, channels: [sms], body: "Have it: https://hub.example/v1/acknowledge/sample Stop: https://hub.example/v1/unsubscribe/sample" }
`,
  })
  try {
    const { errors, results } = await testRules(folders, 0)
    expect([errors, results.flatMap(({ failures }) => failures)]).toEqual([[], []])
  } finally {
    await folders.remove()
  }
  const set = await ruleSetOf(files)
  const [rule] = set.rules
  if (rule === undefined) throw new Error("there is a rule")
  const settings = { publicUrl: "https://hub.example", defaultSlack: false, tokens }
  const said = sampleWords(set, rule, factsOf(hubEvent()), null, settings)
  expect(JSON.stringify(said)).toContain("https://hub.example/v1/unsubscribe/sample")
})

describe("what advertises", () => {
  const mail = { subject: "s", html: "<html><body><p>Hi</p></body></html>", text: "Hi" }
  const foot = { unsubscribe: "https://hub.example/u", postalAddress: "1 Rose <Street>", language: null }

  test("has the link and the sender's address at its end, within the page", () => {
    const { html, text } = withFooter(mail, foot)
    expect(html).toMatch(/1 Rose &lt;Street&gt;<br><a href="https:\/\/hub\.example\/u">Unsubscribe<\/a><\/p>\n<\/body>/)
    expect(text).toBe("Hi\n\n1 Rose <Street>\nUnsubscribe: https://hub.example/u")
    expect(withFooter(mail, { ...foot, language: "ar-iq" }).text).toContain("إلغاء الاشتراك: https://hub.example/u")
  })

  test("is left alone where its template says both", () => {
    const own = {
      ...mail,
      html: '<a href="https://hub.example/u">no more</a> 1 Rose Street',
      text: "no more 1 Rose Street",
    }
    expect(withFooter(own, { ...foot, postalAddress: "1 Rose Street" })).toBe(own)
  })

  test("by SMS ends with the word that stops it, however long it is, unless it says it", () => {
    expect(withStop("Cheap", null, 1_600)).toBe("Cheap\nReply STOP to unsubscribe")
    expect(withStop("Text STOP to end", null, 1_600)).toBe("Text STOP to end")
    const long = withStop("x".repeat(1_600), "ar", 1_600)
    expect(long.length).toBeLessThanOrEqual(1_600)
    expect(long).toEndWith("أرسل STOP لإلغاء الاشتراك")
  })
})
