/**
 * The channels' credentials, without a message to anybody: each provider is asked who we are, which costs nothing. What
 * cannot be asked without sending is said to be unasked.
 */
import { openLine } from "../channels/provider-fetch.ts"
import { detailOf, jsonBody, textField } from "../channels/reading.ts"
import type { Config } from "../config.ts"
import { isJsonObject, type JsonObject } from "../domain/json.ts"
import type { Clock } from "../runtime/clock.ts"
import { type Check, type Checked, type ClockDifference, type Finding, fail, ok, warn } from "./check.ts"
import { mailDomain } from "./mail-domain.ts"
import { pushChecks } from "./push.ts"
import { smtpCheck } from "./smtp.ts"

const ASK_DEADLINE_MS = 8_000

interface Question {
  readonly check: string
  readonly url: string
  readonly method?: "GET" | "POST"
  readonly headers?: Readonly<Record<string, string>>
  /** What no answer may be shown with. */
  readonly secrets: readonly string[]
  /** What an answer of the provider means. `said`: its words, cleaned. */
  read(answer: { readonly status: number; readonly body: JsonObject | null; readonly said: string }): Finding
}

export function providerChecks(config: Config, clock: Clock): readonly Check[] {
  const asks = (question: Question): Check => ({ name: question.check, run: (signal) => ask(question, clock, signal) })
  const says = (finding: Finding): Check => ({ name: finding.check, run: async () => ({ findings: [finding] }) })
  const absent = (check: string): Check =>
    says(ok(check, config.production ? "not set: no rule may use it" : "captured: nothing leaves this machine"))
  const { telegram, slack, email, twilio } = config
  return [
    telegram.botToken === null
      ? absent("telegram")
      : asks(telegramQuestion(telegram.apiRoot, telegram.botToken.reveal())),
    ...(slack.webhookUrl === null
      ? slack.botToken === null
        ? [absent("slack")]
        : []
      : [says(ok("slack", "a webhook is set; it cannot be checked without sending, so it was not"))]),
    ...(slack.botToken === null ? [] : [asks(slackQuestion(slack.apiRoot, slack.botToken.reveal()))]),
    email.smtpUrl !== null
      ? smtpCheck(email.smtpUrl, email.from)
      : email.resendApiKey === null
        ? absent("email")
        : asks(resendQuestion(email.resendBaseUrl, email.resendApiKey.reveal(), email.from)),
    twilio.accountSid === null || twilio.authToken === null
      ? absent("sms")
      : asks(twilioQuestion(twilio.apiRoot, twilio.accountSid, twilio.authToken.reveal())),
    twilio.accountSid === null || twilio.authToken === null || twilio.voiceFrom === null
      ? absent("voice")
      : asks(callerQuestion(twilio.apiRoot, twilio.accountSid, twilio.authToken.reveal(), twilio.voiceFrom)),
    ...pushChecks(config, clock),
    says(ok("webhook", systems(config))),
  ]
}

/** Nobody is asked: whom rules post to is not for the doctor to disturb. */
function systems({ production, webhookSecrets }: Config): string {
  const where = production ? "to public https addresses alone" : "to this machine, and captured for any other"
  const names = webhookSecrets.map(({ name }) => name)
  return `${where}; ${names.length === 0 ? "no secret has a name" : `secrets: ${names.join(", ")}`}`
}

async function ask(question: Question, clock: Clock, signal: AbortSignal): Promise<Checked> {
  const { check, url, method = "GET", headers = {}, secrets } = question
  const line = openLine({ signal, deadlineMs: ASK_DEADLINE_MS })
  const before = clock.wall().getTime()
  // Its answer, or why there was none, is read from the line.
  await line.fetch(url, { method, headers }).catch(() => {})
  const after = clock.wall().getTime()
  const seen = line.seen()
  const host = new URL(url).host
  if (seen === null || seen.kind !== "answered") {
    const todo = `see whether ${host} can be reached from here, and its name resolved`
    return { findings: [fail(check, `${host} does not answer: ${seen?.reason ?? "nothing was asked"}`, todo)] }
  }
  const clocks = clockOf(host, seen.headers.get("date"), before, after)
  const said = detailOf(seen.body, secrets)
  if (seen.status >= 500) {
    return { findings: [warn(check, `${host} answers ${seen.status}: ${said}`, "ask again later")], clocks }
  }
  return { findings: [question.read({ status: seen.status, body: jsonBody(seen), said })], clocks }
}

/** A `Date` is cut to the second, so it says only between which moments their clock was. */
function clockOf(host: string, date: string | null, before: number, after: number): readonly ClockDifference[] {
  const theirs = Date.parse(date ?? "")
  return Number.isNaN(theirs) ? [] : [{ from: host, leastMs: before - theirs - 1_000, mostMs: after - theirs }]
}

const telegramQuestion = (apiRoot: string, token: string): Question => ({
  check: "telegram",
  url: `${apiRoot}/bot${token}/getMe`,
  secrets: [token],
  read({ status, body, said }) {
    const bot = body?.["result"]
    const name = isJsonObject(bot ?? null) ? textField(bot as JsonObject, "username") : null // an object, as was just seen
    if (status === 200 && body?.["ok"] === true) return ok("telegram", `the bot ${name ?? "(without a name)"} is ours`)
    return fail(
      "telegram",
      `the token is refused (${status}): ${said}`,
      "set TELEGRAM_BOT_TOKEN to what @BotFather says",
    )
  },
})

const slackQuestion = (apiRoot: string, token: string): Question => ({
  check: "slack bot",
  url: `${apiRoot}/auth.test`,
  method: "POST",
  headers: { authorization: `Bearer ${token}` },
  secrets: [token],
  read({ status, body, said }) {
    if (status === 200 && body?.["ok"] === true)
      return ok("slack bot", `${textField(body, "user") ?? "a bot"} in ${textField(body, "team") ?? "a workspace"}`)
    const why = textField(body, "error") ?? said
    return fail("slack bot", `the token is refused: ${why}`, "set SLACK_BOT_TOKEN to the app's xoxb- token")
  },
})

const resendQuestion = (baseUrl: string, key: string, from: string | null): Question => ({
  check: "email",
  url: `${baseUrl}/domains`,
  headers: { authorization: `Bearer ${key}` },
  secrets: [key],
  read({ status, body, said }) {
    if (textField(body, "name") === "restricted_api_key") {
      return ok("email", "the key is good for sending, and may not be asked for its domains")
    }
    if (status !== 200)
      return fail("email", `the key is refused (${status}): ${said}`, "set RESEND_API_KEY to a key of the account")
    const domain = mailDomain(from)
    if (domain === null) return fail("email", "the key is good, and nobody is the sender", "set EMAIL_FROM")
    const listed: readonly unknown[] = Array.isArray(body?.["data"]) ? body["data"] : []
    const states = listed.flatMap((each) => {
      const { name, status: state } = (each ?? {}) as { readonly name?: unknown; readonly status?: unknown } // anything at all
      return typeof name === "string" && (name === domain || domain.endsWith(`.${name}`)) ? [String(state)] : []
    })
    if (states.includes("verified")) return ok("email", `the key is good, and ${domain} is verified`)
    const state = states[0] === undefined ? "is not among the account's domains" : `is ${states[0]} there`
    return fail("email", `the key is good, but ${domain} ${state}`, "verify the domain of EMAIL_FROM at Resend")
  },
})

const basicOf = (user: string, password: string): string => Buffer.from(`${user}:${password}`).toString("base64")

const twilioQuestion = (apiRoot: string, sid: string, token: string): Question => ({
  check: "sms",
  url: `${apiRoot}/2010-04-01/Accounts/${sid}.json`,
  headers: { authorization: `Basic ${basicOf(sid, token)}` },
  secrets: [sid, token, basicOf(sid, token)],
  read({ status, body, said }) {
    const state = textField(body, "status")
    if (status !== 200) {
      const todo = "set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN to those of one account"
      return fail("sms", `the credentials are refused (${status}): ${said}`, todo)
    }
    if (state !== "active") return fail("sms", `the account is ${state ?? "in no known state"}`, "see Twilio's console")
    return textField(body, "type") === "Trial"
      ? warn("sms", "the account is active, on trial", "upgrade it: a trial reaches verified numbers alone")
      : ok("sms", "the account is active")
  },
})

const callerQuestion = (apiRoot: string, sid: string, token: string, number: string): Question => ({
  check: "voice",
  url: `${apiRoot}/2010-04-01/Accounts/${sid}/IncomingPhoneNumbers.json?PhoneNumber=${encodeURIComponent(number)}`,
  headers: { authorization: `Basic ${basicOf(sid, token)}` },
  secrets: [sid, token, basicOf(sid, token)],
  read({ status, body, said }) {
    if (status !== 200) {
      const todo = "set TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN to those of one account"
      return fail("voice", `the credentials are refused (${status}): ${said}`, todo)
    }
    const owned: readonly unknown[] = Array.isArray(body?.["incoming_phone_numbers"])
      ? body["incoming_phone_numbers"]
      : []
    const [first] = owned
    if (!isJsonObject(first ?? null)) {
      const todo = "set TWILIO_VOICE_PHONE_NUMBER to a number of the account, or one that it has verified"
      return warn("voice", "the number is not among the account's own", todo)
    }
    const can = (first as JsonObject)["capabilities"] // an object, as was just seen
    return isJsonObject(can ?? null) && (can as JsonObject)["voice"] === false
      ? fail("voice", "the number cannot call", "set TWILIO_VOICE_PHONE_NUMBER to one with voice")
      : ok("voice", "the number is the account's, and can call")
  },
})
