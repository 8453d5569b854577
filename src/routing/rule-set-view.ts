/** A rule set as `GET /v1/rules` shows it: in the words of its files, conditions and keys as they were compiled. */
import type { Json, JsonObject } from "../domain/json.ts"
import type { Audience, BroadcastAction, Inhibition, NotifyAction, WebhookAction } from "../domain/rule.ts"
import type { RuleLately } from "../telemetry/rule-counts.ts"
import { durationText } from "./language/read-duration.ts"
import type { LoadedAction, RuleSet } from "./rule-set.ts"

/** What a rule's file leaves out is shown as what holds, null where nothing does. */
export const ruleSetView = (
  { revision, loadedAt, rules, sources }: RuleSet,
  lately?: (rule: string) => RuleLately,
): JsonObject => ({
  revision,
  loaded_at: new Date(loadedAt).toISOString(),
  rules: rules.map((rule) => ({
    name: rule.name,
    event_type: rule.eventTypes,
    source: rule.source,
    conditions: rule.condition,
    actions: rule.actions.map(actionView),
    at: rule.at,
    ...(lately === undefined ? {} : { lately: latelyView(lately(rule.name)) }),
  })),
  sources: sources.map(({ source, business, expected, at }) => ({ source, business_id: business, expected, at })),
})

const latelyView = ({ matched, notified, suppressed, failed, lastMatchedAt }: RuleLately): JsonObject => ({
  matched,
  notified,
  suppressed,
  failed,
  last_matched_at: lastMatchedAt === null ? null : new Date(lastMatchedAt).toISOString(),
})

function actionView(action: LoadedAction): Json {
  const common = { mode: action.mode, inhibited_by: inhibitionView(action.inhibitedBy) }
  switch (action.type) {
    case "notify":
      return { ...notifyView(action), ...common }
    case "webhook":
      return { ...webhookView(action), ...common }
    case "broadcast":
      return { ...broadcastView(action), ...common }
  }
}

const notifyView = (action: NotifyAction): JsonObject => ({
  type: action.type,
  to: audienceView(action.to),
  channels: action.channels,
  template: action.template,
  priority: action.priority,
  bypass_quiet_hours: action.bypassQuietHours,
  category: action.category,
  commercial: action.commercial,
  action_url: action.actionUrl,
  action_label: action.actionLabel,
  data: action.data,
  cooldown: cooldownView(action),
  throttle: throttleView(action),
  delay: timeView(action.delayMs),
  digest:
    action.digest === null
      ? null
      : { key: action.digest.key, window: durationText(action.digest.windowMs), max: action.digest.max },
  escalate: action.escalate.map(({ afterMs, channels, to }) => ({
    after: durationText(afterMs),
    channels,
    to: to === null ? null : audienceView(to),
  })),
  until: action.until,
  failover: action.failover,
  expires_in: timeView(action.expiresInMs),
  on_unknown: action.onUnknown,
  update: action.update,
})

/** A secret that stands in the rule stays there. */
const webhookView = ({ type, url, secret }: WebhookAction): JsonObject => ({
  type,
  url,
  secret: secret?.startsWith("whsec_") === true ? "whsec_…" : secret,
})

const broadcastView = ({ type, topic, event }: BroadcastAction): JsonObject => ({ type, topic, event })

export const audienceView = ({ roles, users, lists, everyone }: Audience): JsonObject => ({
  roles,
  users,
  lists,
  everyone,
})

function cooldownView({ limits }: NotifyAction): Json {
  const limit = limits.find(({ word }) => word === "cooldown")
  return limit === undefined ? null : { key: limit.key, window: durationText(limit.windowMs) }
}

function throttleView({ limits }: NotifyAction): Json {
  const limit = limits.find(({ word }) => word === "throttle")
  return limit === undefined ? null : { key: limit.key, limit: limit.limit, window: durationText(limit.windowMs) }
}

const inhibitionView = (inhibition: Inhibition | null): Json =>
  inhibition === null
    ? null
    : { event_type: inhibition.eventTypes, equal: inhibition.equal, within: durationText(inhibition.withinMs) }

const timeView = (ms: number | null): Json => (ms === null ? null : durationText(ms))
