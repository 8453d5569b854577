import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { asRecipientId, type RecipientId } from "../domain/ids.ts"
import { linkTokens } from "../domain/link-token.ts"
import { Secret } from "../domain/secret.ts"
import { listAudit } from "../store/audit.ts"
import { resume, suppress } from "../store/suppressions.ts"
import { type Front, SERVICE_KEY, startFront } from "../testing/front.ts"
import { preferencesRoutes } from "./preferences.ts"
import { recipientRoutes } from "./recipients.ts"
import { unsubscribeRoutes } from "./unsubscribe.ts"

const NOW = Date.parse("2026-11-21T08:00:00Z")
const links = linkTokens([new Secret("k".repeat(44))])
const idOf = (text: string): RecipientId => {
  const id = asRecipientId(text)
  if (id === null) throw new Error(`${text} is no id`)
  return id
}

let front: Front
beforeAll(async () => {
  front = await startFront(({ db }) => [
    recipientRoutes({ db }),
    preferencesRoutes({ db }),
    unsubscribeRoutes({ db, links, wall: () => NOW }),
  ])
})
afterAll(() => front.stop())

const person = async (name: string): Promise<RecipientId> => {
  const made = await front.call(`/v1/recipients/${name}`, {
    method: "PUT",
    json: { business_id: "b1" },
    key: SERVICE_KEY,
  })
  expect(made.status).toBeLessThan(300)
  return idOf(name)
}
const wishes = async (id: RecipientId) => (await front.call(`/v1/recipients/${id}/prefs`, { key: SERVICE_KEY })).json()
const open = (path: string, options: { method?: string; body?: string | FormData; type?: string } = {}) =>
  front.call(path, {
    key: null,
    ...(options.method === undefined ? {} : { method: options.method }),
    ...(options.body === undefined ? {} : { body: options.body }),
    ...(options.type === undefined ? {} : { headers: { "content-type": options.type } }),
  })
const FORM = "application/x-www-form-urlencoded"
const ONE_CLICK = { method: "POST", body: "List-Unsubscribe=One-Click", type: FORM }
const mail = { channel: "email", category: "offers", commercial: true } as const

test("the pages speak the reader's language, else their browser's, and Arabic from right to left", async () => {
  await person("noor")
  const noor = await front.call("/v1/recipients/noor", {
    method: "PUT",
    json: { business_id: "b1", locale: "ar-IQ" },
    key: SERVICE_KEY,
  })
  expect(noor.status).toBe(200)
  const ann = await person("ann")
  const read = async (path: string, accepts: string | null = null): Promise<string> => {
    const headers = accepts === null ? {} : { "accept-language": accepts }
    return (await front.call(path, { key: null, headers })).text()
  }
  const stop = (id: RecipientId) => `/v1/unsubscribe/${links.unsubscribe({ ...mail, recipients: [id] })}`
  const choose = `/v1/preferences/${links.preferences({ recipient: idOf("noor"), until: NOW + 1_000 })}`
  const arabic = await read(stop(idOf("noor")), "en-GB")
  expect(arabic).toContain('<html lang="ar" dir="rtl">')
  expect(arabic).toContain("إلغاء الاشتراك")
  expect(await read(choose)).toContain("الرسائل النصية")
  expect(await read(stop(ann), "fr, ar;q=0.8")).toContain('dir="rtl"')
  expect(await read(stop(ann), "fr")).toContain('<html lang="en" dir="ltr">')
  expect(await read("/v1/unsubscribe/forged", "ar")).toContain("هذا الرابط لا يعمل")
})

describe("the unsubscribe link", () => {
  test("shows a button to whoever looks, a scanner too, and changes nothing by that", async () => {
    const ann = await person("ann")
    const path = `/v1/unsubscribe/${links.unsubscribe({ ...mail, recipients: [ann] })}`
    for (const method of ["GET", "HEAD", "OPTIONS"]) expect((await open(path, { method })).status).toBeLessThan(300)
    const page = await open(path)
    expect(page.headers.get("content-type")).toStartWith("text/html")
    expect(page.headers.get("content-security-policy")).toContain("default-src 'none'")
    const html = await page.text()
    expect(html).toContain('<form method="post" action="?">')
    expect(html).not.toMatch(/<script|src=/)
    expect(await wishes(ann)).toMatchObject({ channels: {}, categories: {} })
  })

  test("unsubscribes by one POST of a mail program, as often as that comes, and it shows in the preferences", async () => {
    const bea = await person("bea")
    const path = `/v1/unsubscribe/${links.unsubscribe({ ...mail, recipients: [bea] })}`
    const form = new FormData()
    form.append("List-Unsubscribe", "One-Click")
    for (const how of [ONE_CLICK, { method: "POST", body: form }, { method: "POST" }]) {
      const answer = await open(path, how)
      expect(answer.status).toBe(200)
      expect(answer.redirected).toBe(false)
      expect(await wishes(bea)).toMatchObject({ channels: {}, categories: { offers: { email: false } } })
    }
    const { entries } = await listAudit(front.db, { businesses: null, after: null, limit: 100 })
    expect(entries.filter(({ actor }) => actor === "person:bea")).toMatchObject([
      { action: "preferences.unsubscribe", detail: { by: "link", ...mail } },
    ])
  })

  test("stops all advertising where somebody wants that, or where the mail has no category", async () => {
    const [cid, dan] = [await person("cid"), await person("dan")]
    const ofCategory = `/v1/unsubscribe/${links.unsubscribe({ ...mail, recipients: [cid] })}`
    expect(await (await open(ofCategory)).text()).toContain('action="?scope=all"')
    await open(`${ofCategory}?scope=all`, { method: "POST" })
    await open(`/v1/unsubscribe/${links.unsubscribe({ ...mail, category: null, recipients: [dan] })}`, ONE_CLICK)
    for (const one of [cid, dan])
      expect(await wishes(one)).toMatchObject({ channels: {}, categories: { commercial: { email: false } } })
  })

  test("of what does not advertise stops its category, or where it has none the channel; never another's", async () => {
    const [eve, fay, gus] = [await person("eve"), await person("fay"), await person("gus")]
    const news = { channel: "sms", category: "billing", commercial: false } as const
    await open(`/v1/unsubscribe/${links.unsubscribe({ ...news, recipients: [eve] })}?scope=all`, { method: "POST" })
    await open(`/v1/unsubscribe/${links.unsubscribe({ ...news, category: null, recipients: [fay] })}`, {
      method: "POST",
    })
    expect(await wishes(eve)).toMatchObject({ channels: {}, categories: { billing: { sms: false } } })
    expect(await wishes(fay)).toMatchObject({ channels: { sms: false }, categories: {} })
    expect(await wishes(gus)).toMatchObject({ channels: {}, categories: {} })
  })

  test("of a mailbox that several share is for all of them", async () => {
    const both = [await person("hal"), await person("ida")]
    await open(`/v1/unsubscribe/${links.unsubscribe({ ...mail, recipients: both })}`, ONE_CLICK)
    for (const one of both) expect(await wishes(one)).toMatchObject({ categories: { offers: { email: false } } })
  })

  test("that is forged, or of another purpose, is answered as one that does not work", async () => {
    const jan = await person("jan")
    const forged = links.unsubscribe({ ...mail, recipients: [jan] }).replace(/.$/, (end) => (end === "A" ? "Q" : "A"))
    for (const token of [
      forged,
      "sample",
      links.preferences({ recipient: jan, until: NOW + 1_000 }),
      "%00",
      "%F0%9F%92%A9",
    ])
      for (const how of [{}, ONE_CLICK]) expect((await open(`/v1/unsubscribe/${token}`, how)).status).toBe(404)
    expect(await wishes(jan)).toMatchObject({ channels: {}, categories: {} })
  })
})

describe("the preferences link", () => {
  const pathFor = (recipient: RecipientId, until = NOW + 60_000) =>
    `/v1/preferences/${links.preferences({ recipient, until })}`

  test("shows what somebody gets, and saves what they choose beside what they said elsewhere", async () => {
    const kim = await person("kim")
    const before = {
      channels: { sms: false, telegram: true },
      categories: { offers: { email: false, sms: false }, "<b>": { push: false } },
      severity_min: { push: "high" },
    }
    await front.call(`/v1/recipients/${kim}/prefs`, { method: "PUT", json: before, key: SERVICE_KEY })
    const html = await (await open(pathFor(kim))).text()
    expect(html).toContain('name="email" checked')
    expect(html).toContain('name="sms">')
    expect(html).toContain('name="push:&lt;b&gt;">')
    const body = new URLSearchParams(
      Object.fromEntries(["sms", "voice", "telegram", "slack", "push", "email:offers"].map((name) => [name, "on"])),
    )
    const answer = await open(pathFor(kim), { method: "POST", body: body.toString(), type: FORM })
    expect(answer.status).toBe(200)
    expect(await wishes(kim)).toMatchObject({
      channels: { email: false, telegram: true },
      categories: { offers: { sms: false }, "<b>": { push: false } },
      severity_min: { push: "high" },
    })
  })

  test("shows an address that takes no messages as a no that cannot be changed there, and says none in its owner's name", async () => {
    const max = idOf("max")
    const json = { business_id: "b1", phone: "+9647701234599", email: "max@example.com" }
    await front.call(`/v1/recipients/${max}`, { method: "PUT", json, key: SERVICE_KEY })
    await front.db.transaction((tx) => suppress(tx, { channel: "sms", address: json.phone }, "stop"))
    expect(await wishes(max)).toMatchObject({ channels: { sms: false } })
    const html = await (await open(pathFor(max))).text()
    expect(html).toContain('name="sms" disabled>')
    expect(html).toContain('name="email" checked')
    const body = new URLSearchParams(
      Object.fromEntries(["voice", "telegram", "slack", "push"].map((name) => [name, "on"])),
    )
    expect((await open(pathFor(max), { method: "POST", body: body.toString(), type: FORM })).status).toBe(200)
    expect(await wishes(max)).toMatchObject({ channels: { email: false, sms: false } })
    // START, as who has the number says it.
    await front.db.transaction((tx) => resume(tx, "sms", json.phone))
    expect(await wishes(max)).toMatchObject({ channels: { email: false } })
    expect(Object.keys(((await wishes(max)) as { channels: object }).channels)).toEqual(["email"])
  })

  test("ends, is no other purpose's, and takes a form alone", async () => {
    const lou = await person("lou")
    expect((await open(pathFor(lou, NOW))).status).toBe(404)
    expect((await open(`/v1/preferences/${links.unsubscribe({ ...mail, recipients: [lou] })}`)).status).toBe(404)
    expect((await open(pathFor(lou), { method: "POST", body: "{}", type: "application/json" })).status).toBe(415)
    expect(await wishes(lou)).toMatchObject({ channels: {}, categories: {} })
  })
})
