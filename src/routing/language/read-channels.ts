/** Lists of channels, and whether a template has words for each. */
import { CHANNELS, type Channel, isChannel, PERSONAL_CHANNELS, type PersonalChannel } from "../../domain/channel.ts"
import { rightWord, shown } from "../rule-error.ts"
import type { Templates } from "../templates.ts"
import { MAX_NAMES } from "./language.ts"
import { readWord } from "./reading.ts"
import { type Field, type Node, scalarOf, type YamlFile } from "./yaml-file.ts"

const OLD_CHANNELS: Readonly<Record<string, string>> = {
  "in-app": "inapp",
  inbox: "inapp",
  websocket: "inapp",
  mail: "email",
  text: "sms",
  phone: "voice",
  call: "voice",
  mobile: "push",
}

/** A channel and where it was named. */
export interface Named<C extends Channel = Channel> {
  readonly channel: C
  readonly node: Node
}

/** Those of the list that are right, each once. */
export const readChannels = (yaml: YamlFile, field: Field | undefined): readonly Named[] =>
  readEach(yaml, field, (node) => readChannel(yaml, node))

/** The same where only what can fail has a place. */
export const readFailover = (yaml: YamlFile, field: Field | undefined): readonly Named<PersonalChannel>[] =>
  readEach(yaml, field, (node) =>
    readWord(yaml, node, { words: PERSONAL_CHANNELS, what: "channel", oldSpellings: OLD_CHANNELS }),
  )

function readEach<C extends Channel>(
  yaml: YamlFile,
  field: Field | undefined,
  read: (node: Node) => C | null,
): readonly Named<C>[] {
  if (field === undefined) return []
  const seen = new Set<Channel>()
  return (yaml.items(field.value, "a list of channels", MAX_NAMES) ?? []).flatMap((node) => {
    const channel = read(node)
    if (channel === null) return []
    if (seen.has(channel)) yaml.refuse(node, `the channel ${shown(channel)} twice`, "each channel once")
    seen.add(channel)
    return [{ channel, node }]
  })
}

function readChannel(yaml: YamlFile, node: Node): Channel | null {
  const value = scalarOf(node)
  if (value === "in_app") return "inapp"
  if (isChannel(value)) return value
  return readWord(yaml, node, { words: CHANNELS, what: "channel", oldSpellings: OLD_CHANNELS })
}

/** The name of a template that has words for all of the channels; what it lacks is an error at the channel's own place. */
export function readTemplateName(
  yaml: YamlFile,
  templates: Templates,
  field: Field | undefined,
  channels: readonly Named[],
): string {
  if (field === undefined) return ""
  const name = yaml.text(field.value, "the name of a folder under templates/", 200)
  if (name === null) return ""
  if (templates.refused.has(name)) return name
  if (!templates.names.includes(name)) {
    const near = rightWord(name, templates.names)
    yaml.refuse(field.value, `unknown template ${shown(name)}`, "the name of a folder under templates/", near)
    return name
  }
  for (const { channel, node } of channels) {
    const missing = wordsMissing(templates, name, channel)
    if (missing !== null) yaml.refuse(node, `the template ${shown(name)} has no words for ${channel}`, missing)
  }
  return name
}

/** What a template lacks for a channel, or null: a file, or the short text without which the channel has no message. */
function wordsMissing(templates: Templates, name: string, channel: Channel): string | null {
  const files = `${name}/${channel}.eta or ${name}/default.eta`
  if (templates.find(name, channel, null) === null) return files
  const keys = needs(channel)
  const variants = templates.variants(name, channel)
  const there = keys.length === 0 || keys.some((key) => variants.some(({ front }) => front[key] !== undefined))
  return there ? null : `"${keys[0]}:" in the front matter of ${files}`
}

/** Front matter of which a channel needs one. */
const needs = (channel: Channel): readonly ("title" | "subject")[] =>
  channel === "email" ? ["subject", "title"] : channel === "inapp" || channel === "push" ? ["title"] : []
