/** A recipient of a rule test: as in PUT /v1/recipients, with preferences and lists. */
import { CHANNELS, type Channel } from "../../domain/channel.ts"
import type { Severity } from "../../domain/event.ts"
import {
  asBusinessId,
  asListName,
  asLocationId,
  asRecipientId,
  type BusinessId,
  DEFAULT_BUSINESS,
  type LocationId,
  type RecipientId,
} from "../../domain/ids.ts"
import type { Preferences } from "../../domain/preferences.ts"
import type { DeviceToken, Membership } from "../../domain/recipient.ts"
import { keysOf, MAX_NAMES, type Vocabulary } from "../language/language.ts"
import { minuteOf, readTimezone } from "../language/read-sources.ts"
import { optional } from "../language/reading.ts"
import { describe, type Field, type Node, scalarOf, type YamlFile } from "../language/yaml-file.ts"
import { oneOf, rightWord, shown } from "../rule-error.ts"
import type { MemoryPerson } from "../world/memory-audience.ts"
import { readId, readSeverity } from "./read-test-event.ts"
import { DEVICE, MEMBERSHIP, PREFS, QUIET_HOURS, RECIPIENT } from "./rule-test-language.ts"

type Fields = ReadonlyMap<string, Field>

/** A recipient's id; null where it is none. */
export function readRecipientId(yaml: YamlFile, node: Node): RecipientId | null {
  const id = asRecipientId(scalarOf(node))
  if (id === null) yaml.refuse(node, describe(node), "a recipient's id")
  return id
}

export class RecipientReader {
  readonly #yaml: YamlFile
  readonly #timezone: string | null

  /** `timezone`: of those who name none. */
  constructor(yaml: YamlFile, timezone: string | null) {
    this.#yaml = yaml
    this.#timezone = timezone
  }

  /** Null where it is none, or has no id. */
  person(node: Node): MemoryPerson | null {
    const fields = this.#yaml.fields(node, keysOf(RECIPIENT))
    const id = optional(fields?.get("id"), (value) => readRecipientId(this.#yaml, value))
    if (fields === null || id === null) return null
    const word = (name: string): string | null => optional(fields.get(name), (value) => this.#text(value))
    const timezone = optional(fields.get("timezone"), (value) => readTimezone(this.#yaml, value)) ?? this.#timezone
    return {
      recipient: {
        id,
        memberships: this.#memberships(fields),
        name: word("name"),
        email: word("email"),
        phone: word("phone"),
        telegramChatId: word("telegram_chat_id"),
        slackWebhookUrl: word("slack_webhook_url"),
        slackUserId: word("slack_user_id"),
        deviceTokens: this.#devices(fields),
        locale: word("locale"),
        timezone,
      },
      preferences: optional(fields.get("prefs"), (value) => this.#preferences(value, timezone)),
      lists: this.#list(fields.get("lists"), "names of lists", (item) => readId(this.#yaml, item, asListName)),
    }
  }

  /** Ids are often numbers. */
  #text(node: Node): string | null {
    const value = scalarOf(node)
    return typeof value === "number" ? String(value) : this.#yaml.text(node, "a text", 2_000)
  }

  #memberships(fields: Fields): readonly Membership[] {
    const several = fields.get("memberships")
    if (several === undefined) return [this.#membership(fields)]
    const short = ["business_id", "location_ids", "roles"]
      .map((name) => fields.get(name))
      .find((one) => one !== undefined)
    if (short !== undefined) {
      this.#yaml.refuse(short.key, `${shown(short.name)} beside "memberships"`, "it in memberships")
    }
    return this.#list(several, "a list of memberships", (item) => {
      const own = this.#yaml.fields(item, keysOf(MEMBERSHIP))
      return own === null ? null : this.#membership(own)
    })
  }

  #devices(fields: Fields): readonly DeviceToken[] {
    return this.#list(fields.get("device_tokens"), "a list of devices", (item) => {
      const own = this.#fields(item, DEVICE)
      const platform = optional(own?.get("platform"), (value) => this.#text(value))
      const token = optional(own?.get("token"), (value) => this.#text(value))
      return platform === null || token === null ? null : { platform, token }
    })
  }

  #membership(fields: Fields): Membership {
    const business = optional(fields.get("business_id"), (value) => readId<BusinessId>(this.#yaml, value, asBusinessId))
    const locations = fields.get("location_ids")
    return {
      business: business ?? DEFAULT_BUSINESS,
      locations:
        locations === undefined
          ? null
          : this.#list(locations, "a list of locations", (item) => readId<LocationId>(this.#yaml, item, asLocationId)),
      roles: this.#list(fields.get("roles"), "a list of roles", (item) => this.#yaml.text(item, "a role", 64)),
    }
  }

  #list<T>(field: Field | undefined, what: string, read: (item: Node) => T | null): readonly T[] {
    if (field === undefined) return []
    return (this.#yaml.items(field.value, what, MAX_NAMES) ?? []).map(read).filter((item) => item !== null)
  }

  #preferences(node: Node, timezone: string | null): Preferences | null {
    const fields = this.#fields(node, PREFS)
    if (fields === null) return null
    const categories = fields.get("categories")
    return {
      channels: this.#flags(fields.get("channels")),
      categories: Object.fromEntries(
        (categories === undefined ? [] : (this.#yaml.entries(categories.value, "categories") ?? [])).map((field) => [
          field.name,
          this.#flags(field),
        ]),
      ),
      severityMin: this.#byChannel<Severity>(fields.get("severity_min"), (value) => readSeverity(this.#yaml, value)),
      quietHours: optional(fields.get("quiet_hours"), (value) => this.#quietHours(value, timezone)),
    }
  }

  #fields(node: Node, vocabulary: Vocabulary): Fields | null {
    return this.#yaml.fields(node, keysOf(vocabulary))
  }

  #flags(field: Field | undefined): Partial<Record<Channel, boolean>> {
    return this.#byChannel(field, (value) => this.#yaml.flag(value))
  }

  #byChannel<T>(field: Field | undefined, read: (value: Node) => T | null): Partial<Record<Channel, T>> {
    const values: Partial<Record<Channel, T>> = {}
    const entries = field === undefined ? [] : (this.#yaml.entries(field.value, `"${field.name}"`) ?? [])
    for (const { name, key, value } of entries) {
      const channel = CHANNELS.find((each) => each === name)
      if (channel === undefined) {
        this.#yaml.refuse(key, `unknown channel ${shown(name)}`, oneOf(CHANNELS), rightWord(name, CHANNELS))
        continue
      }
      const said = read(value)
      if (said !== null) values[channel] = said
    }
    return values
  }

  #quietHours(node: Node, timezone: string | null): Preferences["quietHours"] {
    const fields = this.#fields(node, QUIET_HOURS)
    const from = optional(fields?.get("from"), (value) => this.#minute(value))
    const to = optional(fields?.get("to"), (value) => this.#minute(value))
    const zone = optional(fields?.get("timezone"), (value) => readTimezone(this.#yaml, value))
    return from === null || to === null ? null : { from, to, timezone: zone ?? timezone ?? "UTC" }
  }

  #minute(node: Node): number | null {
    const value = scalarOf(node)
    const minute = typeof value === "string" && /^\d\d:\d\d$/.test(value) ? minuteOf(value) : null
    if (minute === null) this.#yaml.refuse(node, describe(node), 'a time of day such as "22:00"')
    return minute
  }
}
