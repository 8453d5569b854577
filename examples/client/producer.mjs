// Tells the hub which invoices are overdue. It may run as often as it likes, and stop anywhere: each key names a fact
// (this invoice, this many weeks), so the hub takes each fact once.
import { Hub, HubError } from "hubbub/client"

const { HUB_API_KEY = "", HUB_URL = "http://localhost:4000" } = process.env
const hub = new Hub({ apiKey: HUB_API_KEY, baseUrl: HUB_URL })

// Yours come from a database.
const overdue = [
  { number: "INV-1042", customer: "Dijla Trading", amount: 1_250_000, days: 8 },
  { number: "INV-1057", customer: "Basra Foods", amount: 480_000, days: 31 },
]
const events = overdue.map(({ number, customer, amount, days }) => ({
  type: "invoice.overdue",
  source: "invoicing",
  idempotency_key: `overdue-${number}-week-${Math.floor(days / 7)}`,
  business_id: "b1",
  payload: { invoice_id: number, invoice_number: number, customer_name: customer, amount, days_overdue: days },
}))

try {
  // Who hears of it: whoever the rules name, here the accountants of the business.
  await hub.recipients.upsert("noor", { business_id: "b1", roles: ["accountant"], name: "Noor Kareem" })

  // Repeats what may pass by itself, with the same keys; when it resolves, what it says is accepted is stored.
  const results = await hub.events.publishBatch(events)
  for (const { index, ...result } of results) {
    const what = result.status === "invalid" ? JSON.stringify(result.errors) : result.id
    console.log(`${overdue[index]?.number}: ${result.status} ${what}`)
  }
  if (results.some(({ status }) => status === "invalid")) process.exitCode = 1
} catch (error) {
  if (!(error instanceof HubError)) throw error
  console.error(`not told: ${error.message}`) // nothing is lost: the next run tells it again
  process.exitCode = 1
}
