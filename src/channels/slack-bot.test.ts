import type { SlackMessage } from "../domain/message.ts"
import { Secret } from "../domain/secret.ts"
import { type ChannelCase, testChannelContract } from "../testing/channel-contract.ts"
import { slackChannel } from "./slack.ts"

const TOKEN = "xoxb-canary-0123456789-abcdef"
const PERSON = "U0CANARY99"
const message: SlackMessage = {
  channel: "slack",
  webhookUrl: null,
  botTo: PERSON,
  text: "*Invoice* INV-1",
  actionUrl: null,
  actionLabel: null,
}
const says = (error: string, expected: ChannelCase["expected"], status = 200): ChannelCase => ({
  title: `Slack's ${error} is ${expected.kind}`,
  behaviour: { kind: "answer", status, body: { ok: false, error } },
  expected,
})
const unusable = { kind: "unusable", reason: "bad_credential" } as const
const dead = { kind: "rejected", reason: "address_dead" } as const
const bad = { kind: "rejected", reason: "bad_request" } as const
const again = { kind: "retry", reason: "provider_error" } as const

testChannelContract({
  channel: "slack",
  name: "Slack bot",
  worker: (url, deadlineMs) =>
    slackChannel({ webhookUrl: null, bot: { token: new Secret(TOKEN), apiRoot: url }, loopback: false, deadlineMs }),
  message: () => message,
  canaries: [TOKEN, PERSON],
  idempotent: false,
  serverError: "retry",
  cases: [
    ...[
      "invalid_auth",
      "not_authed",
      "token_revoked",
      "account_inactive",
      "missing_scope",
      "messages_tab_disabled",
    ].map((error) => says(error, unusable)),
    ...["channel_not_found", "user_not_found", "is_archived", "not_in_channel"].map((error) => says(error, dead)),
    ...["msg_too_long", "invalid_blocks", "no_text", "a_word_of_next_year"].map((error) => says(error, bad)),
    ...["internal_error", "fatal_error", "service_unavailable"].map((error) => says(error, again)),
    says("ratelimited", { kind: "retry", reason: "rate_limited" }),
    says("invalid_auth", unusable, 401),
    {
      title: "a place where there is no Slack is unusable, and costs no message",
      behaviour: { kind: "answer", status: 404, body: "<html>nginx</html>" },
      expected: unusable,
    },
    {
      title: "an ok without a place is unknown: it may have been posted",
      behaviour: { kind: "answer", status: 200, body: { ok: true } },
      expected: { kind: "unknown", reason: "unreadable_answer" },
    },
  ],
})
