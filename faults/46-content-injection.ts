/** Events whose words are markup, mentions, headers and template code, by every channel that a person reads. */
import { SENDING_CHANNELS } from "../src/domain/channel.ts"
import { upsertRecipients } from "../src/store/recipients.ts"
import { business, recipient } from "../src/testing/builders.ts"
import { eventually } from "../src/testing/eventually.ts"
import type { Call, Request } from "../src/testing/fake-providers.ts"
import { SERVICE_KEY } from "../src/testing/front.ts"
import { marginCall } from "../src/testing/margin-call.ts"
import { ruleFolders } from "../src/testing/rule-fixtures.ts"
import { type SmtpMail, startSmtpServer } from "../src/testing/smtp-server.ts"
import { fault } from "./fault.ts"
import {
  callsInSlack,
  dialsElsewhere,
  foreignMarkup,
  HOSTILE_WORDS,
  hasControls,
  telegramRefuses,
  wasEvaluated,
} from "./hostile-words.ts"
import { broken, endings, inWorld, type World } from "./world.ts"

const READER = "reader@example.com"
const SETTLED_MS = 60_000
const CHANNELS = ["telegram", "slack", "email", "sms", "voice"] as const
const RULE = `rules:
  - name: call
    event_type: MARGIN_CALL
    actions:
      - type: notify
        to: { users: [{ var: payload.trader_id }] }
        channels: [inapp, ${CHANNELS.join(", ")}]
        template: trade.margin_call
        action_url: "https://hub.example/accounts/<%= encodeURIComponent(it.payload.account_id) %>"
`
/** Of an e-mail by SMTP. */
const HEADERS =
  /^(from|to|subject|message-id|date|mime-version|content-type|content-transfer-encoding|auto-submitted|list-unsubscribe|list-unsubscribe-post)$/

export const contentInjection = fault({
  number: 46,
  name: "content injection",
  short: {},
  full: {},
  injected: () =>
    `${HOSTILE_WORDS.length} texts of markup, mentions, headers and code, by ${CHANNELS.length} channels and by SMTP`,
  run: (_, mutant) =>
    inWorld({ mutant }, async (world) => {
      const { providers, db } = world
      const { rulesDir, remove } = await ruleFolders({ "rules/call.yaml": RULE })
      world.defer(remove)
      const smtp = await startSmtpServer()
      world.defer(() => smtp.stop())
      providers.always("telegram", ({ text }) =>
        telegramRefuses(text)
          ? { kind: "answer", status: 400, body: { ok: false, description: "Bad Request: can't parse entities" } }
          : { kind: "ok" },
      )
      const settings = {
        HUB_RULES_DIR: rulesDir,
        EMAIL_FROM: "Hub <hub@example.com>",
        SLACK_WEBHOOK_URL: providers.slackWebhook(),
        TWILIO_ACCOUNT_SID: `AC${"0".repeat(32)}`,
        TWILIO_AUTH_TOKEN: "a-token-of-twilio",
        TWILIO_FROM: "+15005550006",
        TWILIO_VOICE_PHONE_NUMBER: "+15005550006",
        TWILIO_API_ROOT: providers.url,
      }
      const resend = await world.hub({
        settings: { ...settings, RESEND_API_KEY: "re_test", RESEND_BASE_URL: providers.url },
      })
      const member = { business: business("desk"), locations: null, roles: [] }
      const addresses = { telegramChatId: "991", email: READER, phone: "+9647700000000" }
      await upsertRecipients(db, [recipient("trader-7", { ...addresses, memberships: [member] })], null)
      await say(world, resend.port)
      const mailer = await world.hub({ settings: { ...settings, SMTP_URL: `smtp://127.0.0.1:${smtp.port}` } })
      const resendEnded = await world.end(resend)
      // Now every mail goes by SMTP, and everything once more.
      await say(world, mailer.port)

      const wrong = SENDING_CHANNELS.flatMap((channel) =>
        providers.callsOf(channel).flatMap((call) => faultsOf(call).map((what) => `${channel}: ${what}: ${call.text}`)),
      )
      wrong.push(...smtp.mails.flatMap((mail) => mailFaults(mail).map((what) => `smtp: ${what}`)))
      for (const line of wrong.slice(0, 20)) console.error(line.slice(0, 300))
      const [row] = await db.query<{ n: number; delivered: number }>(
        "select count(*)::int as n, count(*) filter (where status = 'delivered')::int as delivered from deliveries",
      )
      const all = 2 * HOSTILE_WORDS.length * CHANNELS.length
      return [
        { what: "messages", value: row?.n ?? 0, atLeast: all },
        { what: "not delivered", value: (row?.n ?? 0) - (row?.delivered ?? 0), atMost: 0 },
        { what: "by SMTP", value: smtp.mails.length, atLeast: HOSTILE_WORDS.length },
        { what: "fell for it", value: wrong.length, atMost: 0 },
        { what: "hubs that did not end well", value: resendEnded ? 0 : 1, atMost: 0 },
        broken(mailer),
        await endings(world, [mailer]),
      ]
    }),
})

/** Each of the texts as the name of an account; resolves when everything that follows has ended. */
async function say({ db }: World, port: number): Promise<void> {
  const results = await Promise.all(
    HOSTILE_WORDS.map(async (words, n) => {
      const event = marginCall(n)
      const answer = await fetch(`http://127.0.0.1:${port}/v1/events`, {
        method: "POST",
        headers: { authorization: `Bearer ${SERVICE_KEY}`, "content-type": "application/json" },
        body: JSON.stringify({ ...event, payload: { ...event.payload, account_name: words } }),
      })
      return answer.ok ? [] : [`${answer.status} ${await answer.text()}`]
    }),
  )
  if (results.flat().length > 0) throw new Error(results.flat().join("\n"))
  await eventually(
    () =>
      db.query(
        `select event_id from routing_queue union all
         select id from deliveries where status not in ('delivered', 'dead', 'suppressed', 'captured') limit 1`,
      ),
    (open) => open.length === 0,
    { withinMs: SETTLED_MS, what: "what has not ended" },
  )
}

/** What is wrong with a message as its provider was given it. */
function faultsOf({ channel, to, text, body }: Call | Request): readonly string[] {
  const found: string[] = []
  const unless = (fine: boolean, what: string): void => void (fine || found.push(what))
  unless(!wasEvaluated(JSON.stringify(body)), "a template in the words was run")
  switch (channel) {
    case "telegram":
      unless(to === "991", "another chat")
      unless(!telegramRefuses(text) && !foreignMarkup(text), "markup")
      break
    case "slack":
      unless(!callsInSlack(text), "a mention or a link")
      break
    case "email": {
      const { subject, html, to: readers, bcc, cc, headers } = body
      unless(String(readers) === READER && bcc === undefined && cc === undefined, "another reader")
      unless(!/[\r\n]/.test(String(subject)), "a subject of two lines")
      unless(!foreignMarkup(String(html)), "markup")
      unless(!/bcc/i.test(JSON.stringify(headers ?? {})), "another header")
      break
    }
    case "sms":
      unless(to === "+9647700000000", "another number")
      unless(!hasControls(text), "control characters")
      break
    case "voice":
      unless(to === "+9647700000000", "another number")
      unless(!dialsElsewhere(text), "a call within the call")
      break
    case "push":
    case "webhook":
      break
  }
  return found
}

function mailFaults({ to, raw }: SmtpMail): readonly string[] {
  const head = raw.slice(0, raw.indexOf("\r\n\r\n")).replaceAll(/\r\n[ \t]+/g, " ")
  const names = head.split("\r\n").map((line) => line.slice(0, line.indexOf(":")).toLowerCase())
  const odd = names.filter((name) => !HEADERS.test(name))
  return [
    ...(to.length === 1 && to[0] === READER ? [] : [`readers: ${to.join(", ")}`]),
    ...(odd.length === 0 ? [] : [`headers: ${odd.join(", ")}`]),
    ...(new Set(names).size === names.length ? [] : ["a header twice"]),
  ]
}
