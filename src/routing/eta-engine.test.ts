import { describe, expect, test } from "bun:test"
import { onlyPrints } from "./eta-engine.ts"

describe("a template only prints", () => {
  test.each([
    "",
    "Stock is low.",
    "Order <%= it.payload.order_number ?? it.payload.order_id %> was cancelled",
    `Hello <%= it.recipient.name ?? "there" %>, <%~ it.payload.html -%>`,
    "<%= it.payload?.left %> left of <%= 100 %>, by <%= it.payload.who ?? 'somebody' %>",
  ])("%p", (text) => {
    expect(onlyPrints(text)).toBeTrue()
  })
})

describe("a template may run code", () => {
  test.each([
    "<% for (;;) { %>x<% } %>",
    "<%= it.payload.name.repeat(1e9) %>",
    "<%= it.payload.name`x` %>",
    "<%= it.events.length === 1 ? 'one' : 'more' %>",
    "<%= it.payload['name'] %>",
    "<%= `name` %>",
    "<%= it.payload.n + 1 %>",
    "<%= it.payload.n++ %>",
    "<%= it.payload.n = 1 %>",
    "<%= (() => { for (;;); })() %>",
    "<%= it.a ?? (() => { for (;;); })() %>",
    "<%= it.a, (() => { for (;;); })() %>",
    "<%= it.a\n(0) %>",
    "<%= 'a\\', it.b() + ' %>",
    `<%~ include("/_partials/money", { amount: it.payload.total }) %>`,
    `<% layout("/_layouts/email") -%>Hello.`,
    "<%= globalThis.x %>",
    "<%= it %>",
  ])("%p", (text) => {
    expect(onlyPrints(text)).toBeFalse()
  })
})
