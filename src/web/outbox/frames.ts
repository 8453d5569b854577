/** Each message in the frame that its reader would see it in: a phone, a mail program, Telegram, Slack, a system's log. */
import { el } from "../shared/dom.ts"
import { type Captured, type MessageOn, parsed } from "./captured.ts"
import { slack, telegram } from "./chat-frames.ts"
import type { Hands } from "./hands.ts"
import { mailWindow } from "./mail-window.ts"
import { call, push, sms } from "./phone-frames.ts"

/** The message in its frame, with a line below it that a developer wants to know. `hands`: null where nobody may answer. */
export function frameOf(
  { id = "", message, createdAt }: Pick<Captured, "message" | "createdAt"> & { readonly id?: string },
  hands: Hands | null = null,
): HTMLElement {
  if (message === null) return el("p", { class: "gone" }, "The text of this message is no longer kept.")
  switch (message.channel) {
    case "sms":
      return sms(message, createdAt, hands)
    case "email":
      return mailWindow(message, createdAt, hands)
    case "voice":
      return call(message, createdAt, hands)
    case "push":
      return push(message, createdAt)
    case "telegram":
      return telegram(message, createdAt, hands)
    case "slack":
      return slack(message, createdAt, hands)
    case "webhook":
      return post(message, id, createdAt)
  }
}

/** As it stands on the wire: whoever reads the body can see what it is checked by. */
function post({ to, body, signed }: MessageOn<"webhook">, id: string, createdAt: string): HTMLElement {
  const json = parsed(body)
  const host = URL.parse(to ?? "")?.host ?? "a system"
  const at = Math.floor(Date.parse(createdAt) / 1_000)
  const header = (name: string, value: string, hint = ""): HTMLElement =>
    el(
      "div",
      {},
      el("dt", {}, name),
      el("dd", {}, value, hint === "" ? null : el("span", { class: "header-hint" }, hint)),
    )
  return el(
    "figure",
    { class: "frame webhook" },
    el(
      "div",
      { class: "request", dir: "ltr" },
      el("p", { class: "request-line" }, el("b", {}, "POST"), ` ${to ?? "…"}`),
      el(
        "dl",
        { class: "headers" },
        header("content-type", "application/json"),
        id === "" ? null : header("webhook-id", id, "the same on every try"),
        Number.isNaN(at) ? null : header("webhook-timestamp", String(at), "of the try"),
        signed ? header("webhook-signature", "v1,…", "HMAC-SHA256 of id.timestamp.body with the rule’s secret") : null,
      ),
      el("pre", { tabindex: "0" }, json === null ? body : JSON.stringify(json, null, 2)),
    ),
    el("figcaption", {}, `POST to ${host} · ${signed ? "signed as a Standard Webhook" : "not signed"}`),
  )
}
