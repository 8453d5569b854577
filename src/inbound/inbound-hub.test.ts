/** What providers report and people answer, through a whole hub: signed as they sign, on messages that it really sent. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { ACKNOWLEDGE } from "../domain/answer-button.ts"
import type { JsonObject } from "../domain/json.ts"
import {
  byResend,
  bySlack,
  byTelegram,
  byTwilio,
  PUBLIC_URL,
  RESEND_SECRET,
  type Sent,
  SLACK_SECRET,
  TELEGRAM_SECRET,
  TWILIO_TOKEN,
} from "../testing/answering.ts"
import { eventually } from "../testing/eventually.ts"
import { type Call, type FakeProviders, startFakeProviders } from "../testing/fake-providers.ts"
import { jsonOf, tokenFor } from "../testing/front.ts"
import { type Folders, ruleFolders } from "../testing/rule-fixtures.ts"
import { startTestHub, type TestHub } from "../testing/start-hub.ts"

const within = (what: string) => ({ withinMs: 20_000, what })

let fake: FakeProviders
let folders: Folders
let hub: TestHub
beforeAll(async () => {
  fake = await startFakeProviders()
  folders = await ruleFolders({
    "rules/a.yaml": `rules:
  - name: call-them
    event_type: margin.call
    actions:
      - type: notify
        to: { users: [{ var: payload.who }] }
        channels: [inapp, sms, voice, telegram, slack, email]
        template: call
        escalate: [{ after: 1h, channels: [sms] }]
        until: acknowledged
  - name: offer
    event_type: offer.made
    actions:
      - { type: notify, to: { users: [{ var: payload.who }] }, channels: [sms], template: call }
  - name: note
    event_type: note.made
    actions:
      - { type: notify, to: { users: [{ var: payload.who }] }, channels: [telegram, slack], template: call }
  - name: later
    event_type: offer.later
    actions:
      - { type: notify, to: { users: [{ var: payload.who }] }, channels: [sms], template: call, delay: 1h }
  - name: question
    event_type: reply.received
    source: hub
    conditions: { in: ["?", { var: payload.text }] }
    actions:
      - { type: notify, to: { users: [support] }, channels: [inapp], template: question }
`,
    "templates/call/default.eta": "---\ntitle: Margin call\n---\nShort.",
    "templates/call/email.eta": "---\nsubject: Margin call\n---\n<p>Short.</p>",
    "templates/question/default.eta": "---\ntitle: <%= it.payload.user_id %> asks\n---\n<%= it.payload.text %>",
  })
  hub = await startTestHub({
    HUB_RULES_DIR: folders.rulesDir,
    HUB_TEMPLATES_DIR: folders.templatesDir,
    HUB_PUBLIC_URL: PUBLIC_URL,
    TELEGRAM_BOT_TOKEN: "1:canary",
    TELEGRAM_API_ROOT: fake.url,
    TELEGRAM_WEBHOOK_SECRET: TELEGRAM_SECRET,
    SLACK_WEBHOOK_URL: fake.slackWebhook(),
    SLACK_SIGNING_SECRET: SLACK_SECRET,
    SLACK_BOT_TOKEN: "xoxb-canary",
    SLACK_API_ROOT: fake.url,
    RESEND_API_KEY: "re_canary",
    RESEND_BASE_URL: fake.url,
    RESEND_WEBHOOK_SECRET: RESEND_SECRET,
    EMAIL_FROM: "hub@example.com",
    TWILIO_ACCOUNT_SID: `AC${"0".repeat(32)}`,
    TWILIO_AUTH_TOKEN: TWILIO_TOKEN,
    TWILIO_FROM: "+15005550006",
    TWILIO_VOICE_PHONE_NUMBER: "+15005550006",
    TWILIO_API_ROOT: fake.url,
  })
}, 30_000)
afterAll(async () => {
  await hub.remove()
  await folders.remove()
  await fake.stop()
}, 30_000)

interface Person {
  readonly who: string
  readonly phone: string
  readonly chat: string
  readonly key: string
}
let people = 0
async function person(more: JsonObject = {}): Promise<Person> {
  people += 1
  const who = `u${people}`
  const address = {
    phone: `+96477012345${10 + people}`,
    telegram_chat_id: `99${people}`,
    email: `${who}@Example.com`,
  }
  const put = await hub.call(`/v1/recipients/${who}`, {
    method: "PUT",
    json: { business_id: "b1", ...address, ...more },
  })
  expect(put.status).toBe(201)
  const key = await tokenFor({ sub: who, business_id: "b1" })
  return { who, phone: `+96477012345${10 + people}`, chat: address.telegram_chat_id, key }
}

const deliveries = async (event: string): Promise<readonly JsonObject[]> =>
  (await jsonOf<{ data: JsonObject[] }>(hub.call(`/v1/deliveries?event_id=${event}`))).data
const happen = async (type: string, who: string): Promise<string> => {
  const json = { type, source: "t", business_id: "b1", correlation_id: `c-${who}`, payload: { who } }
  return (await jsonOf<{ id: string }>(hub.call("/v1/events", { json }))).id
}

interface ToldOf {
  readonly event: string
  readonly id: (channel: string) => string
  /** As the provider named it. */
  readonly sid: (channel: string) => string
  readonly one: (channel: string) => Promise<JsonObject>
  readonly sent: (channel: string) => Call
}
/** Somebody was told on every channel. */
async function called({ who }: Person): Promise<ToldOf> {
  const event = await happen("margin.call", who)
  const all = await eventually(
    () => deliveries(event),
    (found) => found.filter(({ status }) => status === "delivered").length === 5,
    within("a margin call on five channels"),
  )
  const of = (channel: string): JsonObject => all.find((one) => one["channel"] === channel) ?? {}
  const id = (channel: string): string => String(of(channel)["id"])
  return {
    event,
    id,
    sid: (channel) => String((of(channel)["attempts"] as JsonObject[])[0]?.["provider_message_id"]), // the API's shape
    one: async (channel) => jsonOf<JsonObject>(hub.call(`/v1/deliveries/${id(channel)}`)),
    sent: (channel) => {
      const found = fake.calls.findLast(
        (call) => call.channel === channel && JSON.stringify(call.body).includes(id(channel)),
      )
      if (found === undefined) throw new Error(`nothing was sent by ${channel}`)
      return found
    },
  }
}

const send = ({ path, headers, body }: Sent): Promise<Response> =>
  hub.call(path, { method: "POST", key: null, headers, body })
const sends = async (sent: Sent): Promise<string> => {
  const answer = await send(sent)
  expect(answer.status).toBeGreaterThanOrEqual(200)
  expect(answer.status).toBeLessThan(300)
  return answer.text()
}
let sids = 0
/** Of what the fake did not name itself. */
const sidOf = (kind: "SM" | "CA"): string => `${kind}f${String(++sids).padStart(31, "0")}`
const says = (from: string, text: string, more = {}, sid = sidOf("SM")): Sent =>
  byTwilio({ MessageSid: sid, SmsStatus: "received", From: from, To: "+15005550006", Body: text, ...more })
let updates = 0
const writes = (chat: string, text: string, more = {}): Sent =>
  byTelegram({
    update_id: ++updates,
    message: { message_id: 900 + updates, chat: { id: Number(chat), type: "private" }, text, ...more },
  })

const prefs = async ({ key }: Person): Promise<JsonObject> => jsonOf<JsonObject>(hub.call("/v1/prefs", { key }))
/** Of the newest item, and what its escalation came to. */
async function state({ key }: Person, { event }: ToldOf) {
  const { data } = await jsonOf<{ data: JsonObject[] }>(hub.call("/v1/notifications", { key }))
  const { timers } = await jsonOf<{ timers: JsonObject[] }>(hub.call(`/v1/events/${event}/trace`))
  const item = data.find((one) => one["event_id"] === event)
  return { acknowledged: item?.["acknowledged_at"] !== null, timers: timers.map((timer) => timer["outcome"]) }
}
const OPEN = { acknowledged: false, timers: [null] }
const TAKEN = { acknowledged: true, timers: ["acknowledged"] }

describe("a message", () => {
  test("says where its answers go: a button, an address for keys and reports, a tag", async () => {
    const told = await called(await person())
    const button = told.sent("telegram").body["reply_markup"]
    expect(JSON.stringify(button)).toContain(`"callback_data":"${ACKNOWLEDGE}${told.id("telegram")}.`)
    const slack = fake.callsOf("slack").find(({ body }) => JSON.stringify(body).includes(told.id("slack")))
    expect(JSON.stringify(slack?.body["blocks"])).toContain('"action_id":"hub_acknowledge"')
    const heard = (channel: string): string => `${PUBLIC_URL}/v1/inbound/twilio?delivery=${told.id(channel)}`
    expect(told.sent("sms").body["StatusCallback"]).toBe(heard("sms"))
    expect(told.sent("voice").body["StatusCallback"]).toBe(heard("voice"))
    expect(told.sent("voice").text).toContain(`action="${heard("voice")}"`)
    expect(told.sent("email").body["tags"]).toEqual([{ name: "delivery", value: told.id("email") }])
  })
})

test("a message of a rule that waits for nobody has no button", async () => {
  const who = await person()
  const event = await happen("note.made", who.who)
  const sent = (found: readonly JsonObject[]): boolean =>
    found.filter(({ status }) => status === "delivered").length === 2
  await eventually(() => deliveries(event), sent, within("a note"))
  const [telegram, slack] = [fake.callsOf("telegram").at(-1)?.body, fake.callsOf("slack").at(-1)?.body]
  expect([telegram?.["chat_id"], telegram?.["reply_markup"]]).toEqual([who.chat, undefined])
  expect([slack?.["text"], slack?.["blocks"]]).toEqual(["Short.", undefined])
})

describe("a receipt", () => {
  test("of Twilio is found by the delivery that it names, or by the message's own id", async () => {
    const told = await called(await person())
    await sends(
      byTwilio({ MessageSid: sidOf("SM"), MessageStatus: "delivered" }, { query: `?delivery=${told.id("sms")}` }),
    )
    expect((await told.one("sms"))["receipt"]).toBe("delivered")
    await sends(byTwilio({ CallSid: told.sid("voice"), CallStatus: "no-answer" }))
    expect((await told.one("voice"))["receipt"]).toBe("undelivered")
  })

  test("that is late never takes the place of a later one", async () => {
    const told = await called(await person())
    const data = { email_id: told.sid("email") }
    const reports = ["email.sent", "email.clicked", "email.opened", "email.delivered", "email.delivery_delayed"]
    for (const [n, type] of reports.entries()) await sends(byResend({ type, data }, `late-${told.event}-${n}`))
    expect((await told.one("email"))["receipt"]).toBe("clicked")
  })

  test("of a message that is not ours, or of another channel's, changes nothing and is taken", async () => {
    const told = await called(await person())
    await sends(byResend({ type: "email.bounced", data: { email_id: "em_of_somebody_else" } }, `foreign-${told.event}`))
    await sends(byTwilio({ MessageSid: told.sid("voice"), MessageStatus: "delivered" }))
    await sends(
      byTwilio({ MessageSid: sidOf("SM"), MessageStatus: "failed" }, { query: `?delivery=${told.id("email")}` }),
    )
    for (const channel of ["email", "voice", "sms"]) expect((await told.one(channel))["receipt"]).toBeNull()
  })

  test("of a bounce or a complaint suppresses the address; a passing bounce does not", async () => {
    const cases = [
      ["email.bounced", { bounce: { type: "Permanent" } }, false],
      ["email.complained", {}, false],
      ["email.bounced", { bounce: { type: "Transient" } }, undefined],
    ] as const
    for (const [type, more, wish] of cases) {
      const who = await person()
      const told = await called(who)
      await sends(byResend({ type, data: { tags: { delivery: told.id("email") }, ...more } }, `back-${told.event}`))
      expect((await told.one("email"))["receipt"]).toBe(type.slice("email.".length))
      expect(((await prefs(who))["channels"] as JsonObject)["email"]).toBe(wish)
    }
  })
})

describe("STOP", () => {
  test("is heeded at once, shows in the preferences, and START takes it back; a replay of it does nothing", async () => {
    const who = await person()
    const later = await happen("offer.later", who.who)
    const statusOf = async (event: string): Promise<unknown> => {
      const [one] = await deliveries(event)
      return one === undefined ? null : [one["status"], one["reason"]]
    }
    const stop = says(who.phone, "Stop.")
    expect(await sends(stop)).toStartWith("<Response><Message>You get no more messages")
    expect((await prefs(who))["channels"]).toEqual({ sms: false })
    const dropped = await happen("offer.made", who.who)
    const ended = (found: unknown): boolean => Array.isArray(found) && found[0] !== "queued" && found[0] !== "sending"
    expect(await eventually(() => statusOf(dropped), ended, within("an offer"))).toEqual(["suppressed", "stop"])
    expect(await deliveries(later)).toEqual([])

    expect(await sends(says(who.phone, "START"))).toBe("<Response/>")
    expect((await prefs(who))["channels"]).toEqual({})
    await sends(stop)
    expect((await prefs(who))["channels"]).toEqual({})
    const sent = await happen("offer.made", who.who)
    expect(await eventually(() => statusOf(sent), ended, within("an offer"))).toEqual(["delivered", null])
  })

  test("drops what waits already", async () => {
    const who = await person()
    const night = { from: "00:00", to: "23:59", timezone: "UTC" }
    await hub.call("/v1/prefs", { method: "PUT", key: who.key, json: { quiet_hours: night } })
    const event = await happen("offer.made", who.who)
    const first = async () => (await deliveries(event))[0]
    await eventually(first, (one) => one?.["status"] === "scheduled", within("an offer that waits"))
    await sends(says(who.phone, "unsubscribe"))
    expect(await first()).toMatchObject({ status: "suppressed", reason: "stop", next_attempt_at: null })
  })

  test("that Twilio has answered itself is not answered twice, and is heeded under whatever words", async () => {
    const who = await person()
    expect(await sends(says(who.phone, "Genug!", { OptOutType: "STOP" }))).toBe("<Response/>")
    expect((await prefs(who))["channels"]).toEqual({ sms: false })
    expect(await sends(says(who.phone, "start", { OptOutType: "START" }))).toBe("<Response/>")
    expect((await prefs(who))["channels"]).toEqual({})
    expect(await sends(says(who.phone, "إلغاء الاشتراك"))).toContain("تم إيقاف")
    expect((await prefs(who))["channels"]).toEqual({ sms: false })
    expect(await sends(says(who.phone, "yes"))).toBe("<Response/>")
    expect((await prefs(who))["channels"]).toEqual({})
  })

  test("of a number that nobody knows yet holds for whoever comes to have it", async () => {
    await sends(says("+15550109999", "STOP"))
    await hub.call("/v1/recipients/heir", { method: "PUT", json: { business_id: "b1", phone: "+15550109999" } })
    const key = await tokenFor({ sub: "heir", business_id: "b1" })
    expect((await jsonOf<JsonObject>(hub.call("/v1/prefs", { key })))["channels"]).toEqual({ sms: false })
  })

  test("in a chat with the bot is a word too, whichever, and not only a command; in a group it is none", async () => {
    const who = await person()
    await called(who)
    const telegram = async () => ((await prefs(who))["channels"] as JsonObject)["telegram"]
    const group = { chat: { id: Number(who.chat), type: "group" } }
    for (const [words, stopped, more] of [
      ["STOP", undefined, group],
      ["stop loss at 5", undefined, {}],
      ["Stop!", false, {}],
      ["/start", undefined, {}],
      ["إلغاء الاشتراك", false, {}],
      ["start", undefined, {}],
      ["/STOP", false, {}],
    ] as const) {
      await sends(writes(who.chat, words, more))
      expect([words, await telegram()]).toEqual([words, stopped])
    }
  })

  test("is no word within a sentence, and HELP is answered", async () => {
    const who = await person()
    expect(await sends(says(who.phone, "stop loss at 5"))).toBe("<Response/>")
    expect((await prefs(who))["channels"]).toEqual({})
    expect(await sends(says(who.phone, "مساعدة"))).toContain("<Message>")
  })
})

describe("an address that was gone", () => {
  const ended = (found: readonly JsonObject[]): boolean =>
    found.length > 0 && found.every(({ status }) => ["delivered", "dead", "suppressed"].includes(String(status)))
  const became = async (type: string, who: string, channel: string): Promise<unknown> => {
    const event = await happen(type, who)
    const all = await eventually(() => deliveries(event), ended, within(type))
    const one = all.find((each) => each["channel"] === channel)
    return [one?.["status"], one?.["reason"]]
  }

  test("is written to again once somebody has written from it, whatever it was", async () => {
    const who = await person()
    fake.script("sms", { kind: "answer", status: 400, body: { code: 21614, message: "not a mobile number" } })
    expect(await became("offer.made", who.who, "sms")).toEqual(["dead", "bad_number"])
    expect(await became("offer.made", who.who, "sms")).toEqual(["suppressed", "gone"])
    await sends(says(who.phone, "New phone, who is this?"))
    expect(await became("offer.made", who.who, "sms")).toEqual(["delivered", null])
  })

  test("is written to again when the bot is back in a group that had thrown it out", async () => {
    const who = await person({ telegram_chat_id: "-100991" })
    const kicked = { ok: false, error_code: 403, description: "Forbidden: bot was kicked from the supergroup chat" }
    fake.script("telegram", { kind: "answer", status: 403, body: kicked })
    expect(await became("note.made", who.who, "telegram")).toEqual(["dead", "blocked_by_recipient"])
    expect(await became("note.made", who.who, "telegram")).toEqual(["suppressed", "gone"])
    const back = { chat: { id: -100_991, type: "supergroup" }, new_chat_members: [{ id: 1, is_bot: true }] }
    await sends(byTelegram({ update_id: ++updates, message: { message_id: 1, ...back } }))
    expect(await became("note.made", who.who, "telegram")).toEqual(["delivered", null])
  })

  test("by its owner's word stays so, whatever else is written from it", async () => {
    const who = await person()
    await sends(says(who.phone, "STOP"))
    await sends(says(who.phone, "Really?"))
    expect(await became("offer.made", who.who, "sms")).toEqual(["suppressed", "stop"])
  })
})

describe("an acknowledgement", () => {
  const tokenOf = (told: ToldOf, channel: string): string => {
    const found = new RegExp(`${ACKNOWLEDGE}(${told.id(channel)}\\.[\\w-]+)`).exec(
      JSON.stringify(fake.callsOf(channel === "slack" ? "slack" : "telegram").map(({ body }) => body)),
    )
    return found?.[1] ?? "no token"
  }
  const press = (told: ToldOf, chat: string, data = ACKNOWLEDGE + tokenOf(told, "telegram")): Sent =>
    byTelegram({
      update_id: ++updates,
      callback_query: {
        id: `q${updates}`,
        from: { id: Number(chat) },
        message: { message_id: 1, chat: { id: Number(chat), type: "private" } },
        data,
      },
    })

  test.each<[string, (told: ToldOf, who: Person) => Sent, string | RegExp]>([
    [
      "Telegram's button",
      (told, who) => press(told, who.chat),
      /"method":"answerCallbackQuery","callback_query_id":"q\d+","text":"Acknowledged"/,
    ],
    [
      "Slack's button",
      (told) =>
        bySlack(
          {
            type: "block_actions",
            trigger_id: `t-${told.event}`,
            user: { id: "U1" },
            actions: [{ action_id: "hub_acknowledge", value: ACKNOWLEDGE + tokenOf(told, "slack") }],
          },
          { form: true },
        ),
      "",
    ],
    [
      "a key pressed during the call",
      (told, who) =>
        byTwilio(
          { CallSid: sidOf("CA"), CallStatus: "in-progress", To: who.phone, Digits: "5" },
          { query: `?delivery=${told.id("voice")}` },
        ),
      /<Say>Acknowledged/,
    ],
    ["an SMS", (_, who) => says(who.phone, "Ok!"), "<Response/>"],
    ["words in the chat", (_, who) => writes(who.chat, "ack"), ""],
    [
      "a reply to the message",
      (told, who) => writes(who.chat, "got it", { reply_to_message: { message_id: Number(told.sid("telegram")) } }),
      "",
    ],
  ])("by %s stops the escalation, and the inbox shows it", async (_, answer, said) => {
    const who = await person()
    const told = await called(who)
    expect(await state(who, told)).toEqual(OPEN)
    expect(await sends(answer(told, who))).toMatch(said)
    expect(await state(who, told)).toEqual(TAKEN)
  })

  test("is not taken of anybody to whom the message was not sent", async () => {
    const [who, other] = [await person(), await person()]
    const told = await called(who)
    expect(await sends(press(told, other.chat))).toContain("This message was not sent to you")
    expect(await sends(press(told, who.chat, `${ACKNOWLEDGE}${told.id("telegram")}`))).toContain(
      "This button is not known",
    )
    // A button of one channel opens nothing on another.
    expect(await sends(press(told, who.chat, ACKNOWLEDGE + tokenOf(told, "slack")))).toContain("not sent to you")
    const key = { CallSid: sidOf("CA"), CallStatus: "in-progress", To: other.phone, Digits: "1" }
    expect(await sends(byTwilio(key, { query: `?delivery=${told.id("voice")}` }))).toBe(
      "<Response><Hangup/></Response>",
    )
    await sends(says(other.phone, "ok"))
    await sends(writes(other.chat, "ok", { reply_to_message: { message_id: Number(told.sid("telegram")) } }))
    const group = { chat: { id: Number(who.chat), type: "group" }, text: "ok", message_id: 1 }
    await sends(byTelegram({ update_id: ++updates, message: group }))
    expect(await state(who, told)).toEqual(OPEN)
  })

  test("by the button in a group that has become a supergroup is taken, of that message alone", async () => {
    const who = await person({ telegram_chat_id: "-4711" })
    const upgraded = { ok: false, description: "Bad Request: group chat was upgraded to a supergroup chat" }
    const body = { ...upgraded, parameters: { migrate_to_chat_id: -1_004_711 } }
    fake.script("telegram", { kind: "answer", status: 400, body })
    const event = await happen("margin.call", who.who)
    const sentBy = async () => (await deliveries(event)).find(({ channel }) => channel === "telegram")
    const one = await eventually(
      sentBy,
      (found) => found?.["status"] === "delivered",
      within("a margin call in a group"),
    )
    const attempts = one?.["attempts"] as JsonObject[] // the API's shape
    const sid = Number(attempts.at(-1)?.["provider_message_id"])
    const told = { event, id: () => String(one?.["id"]) } as unknown as ToldOf // what the button is found by
    const pressed = (chat: number, message_id: number): Sent => {
      const message = { message_id, chat: { id: chat, type: "supergroup" } }
      const data = ACKNOWLEDGE + tokenOf(told, "telegram")
      return byTelegram({ update_id: ++updates, callback_query: { id: `q${updates}`, data, message } })
    }
    expect(await sends(pressed(-1_004_711, sid + 1))).toContain("not sent to you")
    expect(await sends(pressed(4_711, sid))).toContain("not sent to you")
    expect(await sends(pressed(-1_004_711, sid))).toContain("Acknowledged")
    expect((await state(who, told)).acknowledged).toBe(true)
  })

  test("of a direct message of Slack is its reader's; words in the thread below it do as well", async () => {
    const who = await person({ slack_user_id: `U${people + 1}` })
    const press = (told: ToldOf, user: string): Sent => {
      const actions = [{ action_id: "hub_acknowledge", value: ACKNOWLEDGE + tokenOf(told, "slack") }]
      const payload = { type: "block_actions", trigger_id: `t-${told.event}-${user}`, user: { id: user }, actions }
      return bySlack(payload, { form: true })
    }
    const first = await called(who)
    await sends(press(first, "U999"))
    expect(await state(who, first)).toEqual(OPEN)
    await sends(press(first, `U${people}`))
    expect(await state(who, first)).toEqual(TAKEN)

    const second = await called(who)
    const [ts, channel] = [second.sid("slack"), "D1"]
    const write = (event: JsonObject): Sent =>
      bySlack({ type: "event_callback", event_id: `Ev${++updates}`, event: { type: "message", channel, ...event } })
    await sends(write({ ts: "1.1", text: "ok" }))
    await sends(write({ ts: "1.2", thread_ts: ts, text: "ok", bot_id: "B1" }))
    expect(await state(who, second)).toEqual(OPEN)
    await sends(write({ ts: "1.3", thread_ts: ts, text: "ok" }))
    expect(await state(who, second)).toEqual(TAKEN)
  })

  test("by Slack's button is shown to all who read it, with who it was; who may not is told so alone", async () => {
    const shown: JsonObject[] = []
    const slack = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      async fetch(request) {
        shown.push((await request.json()) as JsonObject) // what we posted
        return new Response("ok")
      },
    })
    const who = await person({ slack_user_id: `U${people + 1}` })
    const told = await called(who)
    const button = { type: "button", action_id: "hub_acknowledge" }
    const other = { type: "button", action_id: "theirs" }
    const words = { type: "section", text: { type: "mrkdwn", text: "Short." } }
    const press = (user: string, response_url: string): Sent =>
      bySlack(
        {
          type: "block_actions",
          trigger_id: `t-${told.event}-${user}-${response_url.length}`,
          user: { id: user },
          actions: [{ action_id: "hub_acknowledge", value: ACKNOWLEDGE + tokenOf(told, "slack") }],
          message: { text: "Short.", blocks: [words, { type: "actions", elements: [button, other] }] },
          response_url,
        },
        { form: true },
      )
    await sends(press("U999", slack.url.href))
    expect(shown).toMatchObject([{ response_type: "ephemeral", replace_original: false }])
    await sends(press(`U${people}`, `${slack.url.href}again`))
    expect(shown[1]).toEqual({
      replace_original: true,
      text: `Short.\n:white_check_mark: Acknowledged by <@U${people}>`,
      blocks: [
        words,
        { type: "actions", elements: [other] },
        { type: "context", elements: [{ type: "mrkdwn", text: `:white_check_mark: Acknowledged by <@U${people}>` }] },
      ],
    })
    await slack.stop(true)
    // Slack that is away takes nothing back.
    expect(await sends(press(`U${people}`, `${slack.url.href}gone`))).toBe("")
    expect(await state(who, told)).toEqual(TAKEN)
  })

  test("is heard on open screens", async () => {
    const who = await person()
    const told = await called(who)
    const { promise, resolve } = Promise.withResolvers<JsonObject>()
    const socket = new WebSocket(`ws://127.0.0.1:${hub.port}/socket/websocket?vsn=2.0.0&token=${who.key}`)
    const joined = Promise.withResolvers<void>()
    socket.onopen = () => socket.send(JSON.stringify(["1", "1", `notifications:${who.who}`, "phx_join", {}]))
    socket.onmessage = ({ data }) => {
      const [, , , event, payload] = JSON.parse(String(data)) as [unknown, unknown, unknown, string, JsonObject] // a frame of Phoenix
      if (event === "phx_reply") joined.resolve()
      if (event === "notification_changed") resolve(payload)
    }
    await joined.promise
    await sends(press(told, who.chat))
    expect((await promise)["acknowledged_at"]).toBeString()
    socket.close()
  })
})

describe("any other reply", () => {
  const asked = async (text: string): Promise<readonly JsonObject[]> => {
    const key = await tokenFor({ sub: "support", business_id: "b1" })
    const { data } = await jsonOf<{ data: JsonObject[] }>(hub.call("/v1/notifications", { key }))
    return data.filter(({ body }) => body === text)
  }
  const heard = (text: string): Promise<readonly JsonObject[]> =>
    eventually(
      () => asked(text),
      ({ length }) => length > 0,
      within(text),
    )

  test("is an event that a rule can match, once, and says what it answers", async () => {
    const who = await person()
    const told = await called(who)
    const question = says(who.phone, `How much, ${who.who}?`)
    for (const _ of [1, 2]) await sends(question)
    const [item] = await heard(`How much, ${who.who}?`)
    expect(item).toMatchObject({ title: `${who.who} asks` })
    const event = await jsonOf<JsonObject>(hub.call(`/v1/events/${item?.["event_id"]}`))
    expect(event).toMatchObject({
      type: "reply.received",
      source: "hub",
      business_id: "b1",
      correlation_id: `c-${who.who}`,
      payload: {
        channel: "sms",
        user_id: who.who,
        delivery_id: told.id("sms"),
        event_id: told.event,
        rule: "call-them",
      },
    })
    expect(JSON.stringify(event)).not.toContain(who.phone)
    expect(await asked(`How much, ${who.who}?`)).toHaveLength(1)
    expect(await state(who, told)).toEqual(OPEN)
  })

  test("comes by Telegram and by mail too", async () => {
    const who = await person()
    await called(who)
    await sends(writes(who.chat, `Why me, ${who.who}?`))
    await heard(`Why me, ${who.who}?`)
    const data = { email_id: "in_1", from: `Ann <${who.who}@example.com>`, subject: `Re: Margin call, ${who.who}?` }
    await sends(byResend({ type: "email.received", data }, `in-${who.who}`))
    await heard(`Re: Margin call, ${who.who}?`)
  })

  test("of somebody who was told nothing is no event", async () => {
    const before = await jsonOf<{ data: JsonObject[] }>(hub.call("/v1/events?type=reply.received"))
    await sends(says("+15550107777", "Who is this?"))
    await sends(writes("123456", "Who is this?"))
    const after = await jsonOf<{ data: JsonObject[] }>(hub.call("/v1/events?type=reply.received"))
    expect(after.data).toHaveLength(before.data.length)
  })
})

describe("a door", () => {
  test("answers Slack's question whether it is the right one", async () => {
    const answer = await send(bySlack({ type: "url_verification", challenge: "abc" }))
    expect(await answer.json()).toEqual({ challenge: "abc" })
  })

  test("keeps what it cannot read with the rejected, and says what was wrong", async () => {
    const cases: readonly (readonly [Sent, number])[] = [
      [byTwilio({ Foo: "bar" }), 422],
      [byResend([], "bad-1"), 422],
      [byTelegram({ message: {} }), 422],
      [bySlack({ type: "event_callback" }), 422],
      [bySlack("no object"), 422],
    ]
    for (const [sent, status] of cases) {
      const answer = await send(sent)
      expect([sent.path, answer.status]).toEqual([sent.path, status])
      expect(answer.headers.get("content-type")).toBe("application/problem+json")
    }
    const { data } = await jsonOf<{ data: JsonObject[] }>(hub.call("/admin/rejected"))
    expect(new Set(data.map(({ via }) => via))).toEqual(new Set(["twilio", "resend", "telegram", "slack"]))
  })

  test("takes no body beyond its limit, and counts what it did", async () => {
    expect((await send({ ...byTelegram({}), body: "x".repeat(200_000) })).status).toBe(413)
    const metrics = await (await hub.call("/metrics")).text()
    expect(metrics).toContain('hub_events_rejected_total{via="telegram",code="too_large"} 1')
    expect(metrics).toMatch(/hub_answers_total\{via="twilio",what="stop",effect="done"\} \d/)
    expect(metrics).toMatch(/hub_answers_total\{via="telegram",what="acknowledge",effect="not_theirs"\} \d/)
    for (const secret of [TWILIO_TOKEN, SLACK_SECRET, TELEGRAM_SECRET]) expect(metrics).not.toContain(secret)
  })
})
