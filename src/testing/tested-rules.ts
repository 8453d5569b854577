// Rules with tests of every sort, for tests of the command that runs them.
/** Three rules, each with something that only time shows. */
export const RULES = `rules:
  - name: late
    event_type: invoice.overdue
    source: erp
    conditions:
      and:
        - ">=": [{ var: payload.days }, 7]
        - { "!=": [{ var: payload.state }, paid] }
    actions:
      - type: notify
        to: { roles: [accountant] }
        channels: [inapp, email]
        template: plain
        cooldown: { key: payload.number, window: 4h }
  - name: gathered
    event_type: stock.low
    actions:
      - type: notify
        to: { roles: [accountant] }
        channels: [inapp]
        template: list
        digest: { window: 15m }
  - name: alarm
    event_type: alarm.raised
    actions:
      - type: notify
        to: { roles: [accountant] }
        channels: [sms]
        failover: [email]
        template: plain
        escalate: [{ after: 10m, channels: [inapp], to: { roles: [chief] } }]
`

/** They try all of the rules. */
export const TESTS = `recipients:
  - { id: anna, roles: [accountant], email: anna@example.com, phone: "+9647700000001" }
  - { id: carl, roles: [chief] }
tests:
  - name: a week late is told by mail
    events: [{ type: invoice.overdue, source: erp, payload: { days: 7, number: 1 } }]
    expect:
      - { rule: late, to: anna, channels: [inapp, email], title: News of 1, subject: News of 1, body: of invoice.overdue }
    nothing_else: true
  - name: six days are not
    events: [{ type: invoice.overdue, source: erp, payload: { days: 6, number: 1 } }]
    expect_not: [{ to: anna }]
  - name: whoever has paid is not late
    events: [{ type: invoice.overdue, source: erp, payload: { days: 7, number: 1, state: paid } }]
    expect: []
  - name: a till knows nothing of it
    events: [{ type: invoice.overdue, source: till, payload: { days: 7, number: 1 } }]
    expect: []
  - name: the same invoice is told once in four hours
    events:
      - { type: invoice.overdue, source: erp, payload: { days: 7, number: 1 } }
      - { type: invoice.overdue, source: erp, payload: { days: 7, number: 1 }, after: 3h }
      - { type: invoice.overdue, source: erp, payload: { days: 7, number: 1 }, at: 2026-01-05T13:00:00Z }
    expect:
      - { rule: late, to: anna, count: 2 }
      - { rule: late, to: anna, status: suppressed, reason: cooldown, count: 1 }
  - name: what runs low is told a quarter of an hour later, in one message
    steps:
      - events: [{ type: stock.low, payload: { number: A } }, { type: stock.low, payload: { number: B }, after: 5m }]
        expect: []
      - advance: 10m
        expect: [{ rule: gathered, to: anna, body: "A, B", reason: digest, at: 2026-01-05T09:15:00Z, after: 15m, within: 1h, count: 1 }]
  - name: at night the mail waits, and the inbox does not
    at: 2026-01-05T22:00:00Z
    timezone: Asia/Baghdad
    recipients:
      - { id: anna, roles: [accountant], email: anna@example.com, prefs: { quiet_hours: { from: "22:00", to: "07:00" } } }
    steps:
      - event: { type: invoice.overdue, source: erp, payload: { days: 7, number: 1 } }
        expect:
          - { to: anna, channels: [inapp] }
          - { to: anna, channels: [email], status: scheduled, reason: quiet_hours, at: 2026-01-06T04:00:00Z }
      - advance: 6h
        expect: [{ to: anna, channels: [email], after: 6h }]
  - name: an alarm goes by mail where the text message fails, and to the chief after ten minutes
    steps:
      - channel_fails: { sms: rejected }
        event: { type: alarm.raised, payload: { number: 9 } }
        expect: [{ rule: alarm, to: anna, channels: [email] }, { rule: alarm, to: anna, channels: [sms], status: dead }]
      - advance: 10m
        expect: [{ rule: alarm, to: carl, channels: [inapp], after: 10m }]
  - name: an alarm that somebody acknowledged goes no further
    steps:
      - event: { type: alarm.raised, payload: { number: 9 } }
      - acknowledge: { rule: alarm, by: anna }
      - advance: 1h
        expect_not: [{ to: carl }]
`

export const TEMPLATES = {
  "templates/plain/default.eta": "---\ntitle: News of <%= it.payload.number %>\n---\nA word of <%= it.event.type %>.",
  "templates/plain/email.eta":
    "---\nsubject: News of <%= it.payload.number %>\n---\n<p>A word of <%= it.event.type %>.</p>",
  "templates/list/default.eta":
    '---\ntitle: <%= it.events.length %> things\n---\n<%= it.events.map((e) => e.payload.number).join(", ") %>',
}
