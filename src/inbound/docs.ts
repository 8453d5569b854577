/** What `/openapi.json` says of the doors for answers. */
import { type RouteDoc, ref } from "../http/route.ts"

const TAG = "Answers"
const REFUSALS: RouteDoc["answers"] = {
  401: {
    description: "Not signed, wrongly signed, too old, or no secret is set: the answer does not say which",
    schema: ref("Problem"),
    contentType: "application/problem+json",
  },
}
const ONCE = "What comes again, by the provider's own id, has no further effect."

export const TWILIO_DOC: RouteDoc = {
  summary: "Take what Twilio brings: replies, reports and pressed keys",
  tag: TAG,
  description: `Signed with \`X-Twilio-Signature\` over \`HUB_PUBLIC_URL\` and this path. STOP and its synonyms suppress the number at once, START takes it back; "ok" acknowledges, as a key pressed during a call does; other words become an event \`reply.received\`. ${ONCE}`,
  parameters: [
    { name: "X-Twilio-Signature", in: "header", description: "Base64 of the HMAC-SHA1 by the auth token." },
    {
      name: "delivery",
      in: "query",
      description: "Of reports and pressed keys: the delivery, as the hub asked for it.",
    },
  ],
  body: {
    "application/x-www-form-urlencoded": {
      schema: { type: "object", additionalProperties: { type: "string" } },
      example: { MessageSid: "SM00000000000000000000000000000001", From: "+15550100", Body: "STOP" },
    },
  },
  answers: { 200: { description: "TwiML: what is said back, if anything", contentType: "text/xml" }, ...REFUSALS },
}

export const RESEND_DOC: RouteDoc = {
  summary: "Take Resend's reports",
  tag: TAG,
  description: `Signed as Svix does, good for five minutes. A bounce or a complaint suppresses the address; \`email.received\` becomes an event \`reply.received\`. ${ONCE}`,
  parameters: [
    { name: "svix-id", in: "header", description: "The message's id." },
    { name: "svix-timestamp", in: "header", description: "Seconds since the Unix epoch, at most 300 from now." },
    { name: "svix-signature", in: "header", description: "A list of `v1,<base64>`; one of them must fit." },
  ],
  body: {
    "application/json": {
      schema: { type: "object", required: ["type", "data"] },
      example: { type: "email.bounced", created_at: "2026-01-05T09:00:00Z", data: { email_id: "em_1" } },
    },
  },
  answers: { 204: { description: "Taken" }, ...REFUSALS },
}

export const TELEGRAM_DOC: RouteDoc = {
  summary: "Take Telegram's updates",
  tag: TAG,
  description: `With the secret that \`setWebhook\` was given. The button and "ok" acknowledge what was sent to this chat, other words become an event \`reply.received\`; STOP and its synonyms, START, \`/stop\` and \`/start\` as of a number. ${ONCE}`,
  parameters: [{ name: "X-Telegram-Bot-Api-Secret-Token", in: "header", description: "`TELEGRAM_WEBHOOK_SECRET`." }],
  body: {
    "application/json": {
      schema: { type: "object", required: ["update_id"] },
      example: { update_id: 1, message: { message_id: 7, chat: { id: 991, type: "private" }, text: "ok" } },
    },
  },
  answers: {
    200: { description: "Taken; what whoever pressed the button is told, as `answerCallbackQuery`" },
    204: { description: "Taken" },
    ...REFUSALS,
  },
}

export const SLACK_DOC: RouteDoc = {
  summary: "Take what Slack brings: buttons and words in threads",
  tag: TAG,
  description: `For the app's interactivity and its events alike; signed as Slack does (\`v0\`), good for five minutes. The button and "ok" in a thread acknowledge, other words in it become an event \`reply.received\`. ${ONCE}`,
  parameters: [
    { name: "X-Slack-Request-Timestamp", in: "header", description: "Seconds since the Unix epoch." },
    { name: "X-Slack-Signature", in: "header", description: "`v0=` and the HMAC-SHA256 in hex." },
  ],
  body: {
    "application/x-www-form-urlencoded": {
      schema: { type: "object", required: ["payload"], properties: { payload: { type: "string" } } },
    },
    "application/json": {
      schema: { type: "object", required: ["type"] },
      example: { type: "url_verification", challenge: "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P" },
    },
  },
  answers: { 200: { description: "Taken" }, ...REFUSALS },
}
