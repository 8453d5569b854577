import { expect, test } from "bun:test"
import { directionOf } from "./direction.ts"

test.each([
  ["rtl", ["طلب شراء PO-7", "Al Noor Trading، 5,000 د.ع. بانتظار الموافقة أو الرفض.", "مراجعة"]],
  ["rtl", ["INV-7 متأخرة 40 يوماً"]],
  ["rtl", ["חשבונית INV-7 באיחור"]],
  ["ltr", ["Invoice INV-7 is overdue", "شركة النور للتجارة العامة المحدودة is 9 days late.", "Open the invoice"]],
  ["rtl", ["افتح https://example.com/a/very/long/path?of=words"]],
  ["ltr", ["Nothing left", null]],
  ["auto", ["Al Noor شركة النور"]],
  ["auto", ["7,000", ""]],
  ["auto", []],
] as const)("%s: %j", (direction, parts) => {
  expect(directionOf(...parts)).toBe(direction)
})
