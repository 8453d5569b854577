/** A rule's words as their readers would see them: one channel at a time, in the frame of its program. */
import { frameOf } from "../outbox/frames.ts"
import { directionOf } from "../shared/direction.ts"
import { el, words } from "../shared/dom.ts"
import type { InboxWords, Rendered } from "./explained.ts"

const NAMES: ReadonlyMap<string, string> = new Map([
  ["inapp", "Inbox"],
  ["email", "Email"],
  ["sms", "SMS"],
  ["voice", "Call"],
  ["push", "Push"],
  ["telegram", "Telegram"],
  ["slack", "Slack"],
])

/** The channel that was looked at last, by rule: a keystroke in the event draws everything anew. */
const looked = new Map<string, string>()

export function renderings(rule: string, rendered: readonly Rendered[]): HTMLElement {
  const stage = el("div", { class: "stage" })
  const several = new Set(rendered.map(({ action }) => action)).size > 1
  const tabs = rendered.map((one) => {
    const name = NAMES.get(one.channel) ?? one.channel
    const tab = el(
      "button",
      { type: "button", class: "channel-tab", "data-key": keyOf(one) },
      several ? `${name} (action ${one.action + 1})` : name,
      one.problem === null ? null : el("span", { class: "broken" }, " cannot be written"),
    )
    tab.addEventListener("click", () => {
      looked.set(rule, keyOf(one))
      show(one)
    })
    return tab
  })
  const show = (one: Rendered): void => {
    for (const tab of tabs) tab.setAttribute("aria-pressed", String(tab.dataset["key"] === keyOf(one)))
    stage.replaceChildren(viewOf(one))
  }
  const first = rendered.find((one) => keyOf(one) === looked.get(rule)) ?? rendered[0]
  if (first !== undefined) show(first)
  return el(
    "div",
    { class: "renderings" },
    el("h4", {}, "In these words"),
    el("div", { class: "channel-tabs", role: "group", "aria-label": "Channel" }, ...tabs),
    stage,
  )
}

const keyOf = ({ action, channel }: Rendered): string => `${action} ${channel}`

function viewOf({ inbox, message, problem }: Rendered): HTMLElement {
  if (problem !== null) return el("p", { class: "problem", dir: "auto" }, `${problem}.`)
  if (inbox !== null) return inboxView(inbox)
  if (message !== null) return frameOf({ message, createdAt: new Date().toISOString() })
  return el("p", { class: "hint" }, "This page does not know how this channel looks.")
}

const inboxView = ({ title, body, actionUrl, actionLabel }: InboxWords): HTMLElement =>
  el(
    "figure",
    { class: "frame inbox-frame" },
    el(
      "div",
      { class: "inbox-item", dir: directionOf(title, body, actionLabel) },
      el("p", { class: "inbox-title" }, title),
      body === "" ? null : el("p", { class: "inbox-body" }, body),
      actionUrl === null ? null : el("p", { class: "inbox-link" }, words(actionLabel ?? "Open")),
    ),
    el("figcaption", {}, actionUrl === null ? "In the inbox" : `In the inbox · leads to ${actionUrl}`),
  )
