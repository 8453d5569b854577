// Rule files that the hub refuses, and what it says of each: for the tests of the reader, and of the schema that editors
// use, which refuses the same but for what it cannot see. One table of cases.
import { oneRule } from "./rule-fixtures.ts"

/** What it is about, the file, and a part of the line that says so. */
export type Refused = readonly [name: string, rules: string, says: string]

const NOTIFY = "to: { roles: [r] }\nchannels: [inapp, email]\ntemplate: plain"

/** A rule whose only action tells people by inbox and mail, with more lines. */
export const notify = (lines: string): string => oneRule({ action: `${NOTIFY}\n${lines}` })

/** A rule whose only action is of another type. */
export const other = (type: string, lines: string): string =>
  oneRule({ action: lines }).replace("type: notify", `type: ${type}`)

/** A rule whose only action tells people by inbox alone, with one more line. */
export const action = (line: string): string =>
  oneRule({ action: `to: { roles: [r] }\nchannels: [inapp]\ntemplate: plain\n${line}` })

export const REFUSED_RULES: readonly Refused[] = [
  [
    "a misspelt key of a rule",
    "rules:\n  - nam: x\n    event_type: a\n    actions: []\n",
    'rules/a.yaml:2:5 unknown key "nam" in a rule, expected one of name, event_type, source, conditions, actions; did you mean "name"?',
  ],
  ["a misspelt key of an action", action("chanels: [sms]"), 'rules/a.yaml:9:9 unknown key "chanels" in an action'],
  ["a misspelt key's suggestion", action("chanels: [sms]"), 'did you mean "channels"?'],
  [
    "a misspelt key of the file",
    "ruls: []\n",
    'rules/a.yaml:1:1 unknown key "ruls" in a rule file, expected one of rules, sources; did you mean "rules"?',
  ],
  [
    "a missing key",
    "rules:\n  - name: x\n    event_type: a\n",
    'rules/a.yaml:2:5 a rule without "actions", expected "actions:"',
  ],
  [
    "an old spelling",
    "rules:\n  - name: x\n    event_type_pattern: a.*\n    actions: []\n",
    'rules/a.yaml:3:5 unknown key "event_type_pattern" in a rule, expected one of name, event_type, source, conditions, actions; did you mean "event_type"?',
  ],
  [
    "an action's key on the rule",
    oneRule({ head: "channels: [inapp]" }),
    'rules/a.yaml:4:5 "channels" in the wrong place, expected it under "actions:"',
  ],
  [
    "an audience's key on the action",
    action("roles: [x]"),
    'rules/a.yaml:9:9 "roles" in the wrong place, expected it under "to:"',
  ],
  [
    "an unknown channel",
    oneRule({ action: "to: { roles: [r] }\nchannels: [inapp, emial]\ntemplate: plain" }),
    'rules/a.yaml:7:27 unknown channel "emial", expected one of inapp, email, sms, voice, telegram, slack, push; did you mean "email"?',
  ],
  [
    "an old channel",
    oneRule({ action: "to: { roles: [r] }\nchannels: [in-app]\ntemplate: plain" }),
    'did you mean "inapp"?',
  ],
  [
    "a channel twice",
    oneRule({ action: "to: { roles: [r] }\nchannels: [inapp, in_app]\ntemplate: plain" }),
    'rules/a.yaml:7:27 the channel "inapp" twice',
  ],
  [
    "no channel",
    oneRule({ action: "to: { roles: [r] }\nchannels: []\ntemplate: plain" }),
    "rules/a.yaml:7:19 an empty list, expected a list of channels",
  ],
  [
    "an unknown template",
    oneRule({ action: "to: { roles: [r] }\nchannels: [inapp]\ntemplate: plian" }),
    'rules/a.yaml:8:19 unknown template "plian", expected the name of a folder under templates/; did you mean "plain"?',
  ],
  [
    "an unknown priority",
    action("priority: urgent"),
    'rules/a.yaml:9:19 unknown priority "urgent", expected one of low, normal, high; did you mean "high"?',
  ],
  ["a flag that is a word", action("bypass_quiet_hours: yes"), 'rules/a.yaml:9:29 "yes", expected true or false'],
  ["data that is no text", action("data: { limit: 5 }"), "rules/a.yaml:9:24 5, expected a text (numbers in quotes)"],
  [
    "an audience of nobody",
    oneRule({ action: "to: {}\nchannels: [inapp]\ntemplate: plain" }),
    'rules/a.yaml:6:13 "to" that names nobody, expected one of roles, users, lists, everyone',
  ],
  ["a list where a map is", "rules:\n  - [1]\n", "rules/a.yaml:2:5 a list, expected a rule: a map of keys and values"],
  ["rules that are no list", "rules: soon\n", 'rules/a.yaml:1:8 "soon", expected a list of rules'],
  [
    "an event type that is a number",
    oneRule({ type: "5" }),
    "rules/a.yaml:3:17 5, expected an event type such as invoice.overdue, invoice.* or **",
  ],
  ["a star within a part", oneRule({ type: "inv*" }), 'rules/a.yaml:3:17 "inv*": * stands for a whole part'],
  ["broken YAML", "rules:\n  - name: [x\n", "rules/a.yaml:3:1 no valid YAML"],
  [
    "a key twice",
    action("priority: low\npriority: high"),
    'rules/a.yaml:10:9 the key "priority" a second time, expected it once',
  ],
  ["an unknown tag", action("category: !secret x"), "rules/a.yaml:9:19 no valid YAML: Unresolved tag: !secret"],
  [
    "an alias",
    action("category: &c x\ndata: { a: *c }"),
    "rules/a.yaml:10:20 the alias *c, expected the value itself: aliases are not taken",
  ],
  ["an empty file", "", "rules/a.yaml:1:1 an empty file, expected YAML"],
  ["a broken Eta string", action("action_url: /x/<%= it.payload.y( %>"), "rules/a.yaml:9:24 "],
  [
    "an Eta string with an unknown variable",
    action("action_label: See <%= it.evnt.type %>"),
    'rules/a.yaml:9:27 the variable "it.evnt", expected it. and one of event, payload, events, recipient, links; did you mean "it.event"?',
  ],
  [
    "a user that is misspelt",
    oneRule({ action: "to: { users: [{ vra: payload.x }] }\nchannels: [inapp]\ntemplate: plain" }),
    'rules/a.yaml:6:25 unknown operator "vra"',
  ],
]
export const REFUSED_ACTIONS: readonly Refused[] = [
  ["a misspelt key", notify("cooldwn: 5m"), '9:9 unknown key "cooldwn" in an action'],
  ["its suggestion", notify("cooldwn: 5m"), 'did you mean "cooldown"?'],
  ["an old spelling", notify("ttl: 5m"), 'did you mean "expires_in"?'],
  [
    "a duration that is a number",
    notify("cooldown: 30"),
    "9:19 30, expected a duration such as 15m, 6h or 2d, from a second to 30 days",
  ],
  ["a duration of two units", notify("delay: 1h30m"), '9:16 "1h30m", expected a duration'],
  ["a duration that is too long", notify("delay: 31d"), '9:16 "31d", expected a duration'],
  ["a duration of nothing", notify("expires_in: 0s"), '9:21 "0s", expected a duration'],
  ["a throttle without a limit", notify("throttle: { window: 1h }"), '9:19 "throttle" without "limit"'],
  [
    "a limit of nothing",
    notify("throttle: { limit: 0, window: 1h }"),
    "9:28 0, expected a whole number from 1 to 1000",
  ],
  ["a throttle that is a duration", notify("throttle: 1h"), '9:19 "1h", expected "throttle": a map of keys and values'],
  ["a misspelt key of a throttle", notify("throttle: { limit: 1, windw: 1h }"), 'did you mean "window"?'],
  ["a key that leads nowhere", notify("cooldown: { key: event.typ, window: 1h }"), 'did you mean "event.type"?'],
  ["a key that is a number", notify("update: 5"), "9:17 5, expected a field such as payload.amount or severity"],
  ["a key of a prototype", notify("update: constructor.name"), '9:17 a path through "constructor"'],
  ["a key of unknown logic", notify("update: { uper: x }"), '9:19 unknown operator "uper"'],
  ["an empty key", notify("update: []"), "9:17 an empty list, expected a list of fields"],
  [
    "a digest that is too large",
    notify("digest: { window: 1m, max: 1001 }"),
    "9:36 1001, expected a whole number from 1 to 1000",
  ],
  ["a digest beside a delay", notify("delay: 1m\ndigest: { window: 1m }"), '10:9 "digest" beside "delay"'],
  ["an end of nothing", notify("until: read"), '9:9 "until" without "escalate"'],
  ["an unknown end", notify("until: ack\nescalate: [{ after: 1m, channels: [sms] }]"), 'did you mean "acknowledged"?'],
  [
    "steps that do not follow each other",
    notify("escalate:\n  - { after: 5m, channels: [sms] }\n  - { after: 300s, channels: [email] }"),
    '11:22 300s after a step that is not earlier, expected more than 5m: "after" counts from the first telling',
  ],
  ["a step without channels", notify("escalate: [{ after: 5m }]"), '9:20 a step of escalate without "channels"'],
  ["no steps", notify("escalate: []"), "9:19 an empty list, expected a list of steps"],
  ["a step on no channel", notify("escalate: [{ after: 5m, channels: [phone] }]"), 'did you mean "voice"?'],
  ["a step to nobody", notify("escalate: [{ after: 5m, channels: [sms], to: {} }]"), '"to" that names nobody'],
  ["a failover that was tried before", notify("failover: [email]"), '9:20 the channel "email" in "channels" too'],
  [
    "a failover to the inbox",
    notify("failover: [inapp]"),
    '9:20 unknown channel "inapp", expected one of email, sms, voice, telegram, slack, push',
  ],
  ["the same failover twice", notify("failover: [sms, sms]"), '9:25 the channel "sms" twice'],
  [
    "a failover of what cannot fail",
    oneRule({ action: "channels: [inapp]\ntemplate: plain\nfailover: [sms]" }),
    '8:9 "failover" of channels that cannot fail',
  ],
  [
    "an offer at night",
    notify("commercial: true\nbypass_quiet_hours: true"),
    '10:9 "bypass_quiet_hours" of what is commercial',
  ],
  [
    "an end before the delay",
    notify("delay: 1h\nexpires_in: 60m"),
    '10:9 "expires_in" of 1h, which ends before "delay"',
  ],
  [
    "an end before the digest",
    notify("digest: { window: 2h }\nexpires_in: 90m"),
    'which ends before the window of "digest", expected more than 2h, or nothing is sent',
  ],
  [
    "an end before the last step",
    notify("escalate: [{ after: 1h, channels: [sms] }]\nexpires_in: 1h"),
    "which ends before the last step",
  ],
  ["an unknown word for what is unknown", notify("on_unknown: holds"), 'did you mean "hold"?'],
  [
    "an unknown mode",
    notify("mode: shado"),
    '9:15 unknown mode "shado", expected one of live, shadow; did you mean "shadow"?',
  ],
  ["nothing equal", notify("inhibited_by: { event_type: a, within: 1m }"), '9:23 "inhibited_by" without "equal"'],
  [
    "a greater trouble that is no type",
    notify("inhibited_by: { event_type: a*, equal: [x], within: 1m }"),
    '9:37 "a*": * stands for a whole part',
  ],
  [
    "a list's name that cannot be",
    oneRule({ action: "to: { lists: [a b] }\nchannels: [inapp]\ntemplate: plain" }),
    '6:23 the list "a b"',
  ],
  [
    "an unknown type",
    other("notfy", NOTIFY),
    '5:15 unknown action type "notfy", expected one of notify, webhook, broadcast; did you mean "notify"?',
  ],
  [
    "a webhook on a channel",
    other("webhook", "url: https://x.example/\nchannels: [sms]"),
    '7:9 "channels", which is for "type: notify", in a webhook action, expected one of type, url, secret, mode, inhibited_by',
  ],
  ["words with an address", notify("secret: x"), '9:9 "secret", which is for "type: webhook", in an action'],
  ["a webhook without an address", other("webhook", "secret: x"), '5:9 a webhook action without "url"'],
  [
    "a webhook in the open",
    other("webhook", "url: http://x.example/"),
    '6:14 the address "http://x.example/", expected an https address; http only to localhost',
  ],
  ["a webhook that is no address", other("webhook", "url: erp"), '6:14 the address "erp", expected an https address'],
  ["a webhook to a file", other("webhook", "url: file:///etc/passwd"), "6:14 the address"],
  [
    "a webhook with a password in it",
    other("webhook", "url: https://u:p@x.example/"),
    "6:14 an address with a password in it",
  ],
  [
    "a secret that is no name",
    other("webhook", "url: https://x.example/\nsecret: a b"),
    "7:17 a secret that cannot be one",
  ],
  ["a broadcast without a topic", other("broadcast", "event: x"), '5:9 a broadcast action without "topic"'],
  [
    "a broadcast to a person",
    other("broadcast", "topic: user:u1\nevent: x"),
    '6:16 the topic "user:u1", expected resources: and',
  ],
  [
    "a broadcast by reader",
    other("broadcast", "topic: resources:<%= it.recipient.id %>\nevent: x"),
    '6:26 the variable "it.recipient", expected it. and one of event, payload',
  ],
  [
    "a broadcast under Phoenix's own name",
    other("broadcast", "topic: resources:b\nevent: phx_close"),
    '7:16 the message "phx_close"',
  ],
  [
    "a broadcast in the hub's own name",
    other("broadcast", "topic: resources:b\nevent: resource_update"),
    '7:16 the message "resource_update", expected a name that is not the hub\'s own',
  ],
  ["a broadcast's broken topic", other("broadcast", "topic: resources:<%= it.event.( %>\nevent: x"), "6:26 "],
]
