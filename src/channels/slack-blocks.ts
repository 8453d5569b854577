/** A Slack message's words, and as blocks where a button stands below them. */
import { ACKNOWLEDGE_ACTION, ACKNOWLEDGE_LABEL } from "../domain/answer-button.ts"
import type { SlackMessage } from "../domain/message.ts"

const escaped = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")

function linkOf({ actionUrl, actionLabel }: SlackMessage): string | null {
  if (actionUrl === null) return null
  const url = escaped(actionUrl).replaceAll("|", "%7C")
  return `<${url}|${escaped(actionLabel ?? "Open").replaceAll("|", "¦")}>`
}

/** Of a section's text. */
const MAX_SECTION = 3_000

const section = (text: string) => ({ type: "section" as const, text: { type: "mrkdwn" as const, text } })

/**
 * mrkdwn, the link in a line of its own. `carries`: what the button does by which one acknowledges; null: there is none, and
 * Slack makes its own block of the text. With blocks the text is what a notification shows.
 */
export function slackWords(message: SlackMessage, carries: string | null) {
  const link = linkOf(message)
  const text = link === null ? message.text : `${message.text}\n${link}`
  if (carries === null) return { text }
  const label = { type: "plain_text" as const, text: ACKNOWLEDGE_LABEL }
  const button = { type: "button" as const, text: label, action_id: ACKNOWLEDGE_ACTION, value: carries }
  // A section holds as much as the longest text has, so the link has one of its own; for one that is too long Slack would
  // refuse the whole.
  const sections = [section(message.text), ...(link === null || link.length > MAX_SECTION ? [] : [section(link)])]
  return { text, blocks: [...sections, { type: "actions" as const, elements: [button] }] }
}

export type SlackWords = ReturnType<typeof slackWords>
