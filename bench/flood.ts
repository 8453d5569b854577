/**
 * A process that floods `POST /v1/events`: as many connections as asked, each sending its next event when the last one
 * was answered. `bun bench/flood.ts <port> <connections> <seconds> <api key>`; one line of JSON at the end.
 */

import { percentile } from "./harness.ts"
import { connect, postEvent } from "./http-client.ts"

/** What one flood saw; only answers 201 count. */
export interface Flood {
  readonly accepted: number
  readonly others: number
  readonly seconds: number
  readonly p50: number
  readonly p99: number
}

/** Starts a process that floods, and waits for its end. */
export async function flood(port: number, apiKey: string, connections: number, seconds: number): Promise<Flood> {
  const child = Bun.spawn(
    [process.execPath, import.meta.path, String(port), String(connections), String(seconds), apiKey],
    { stdout: "pipe", stderr: "inherit" },
  )
  return JSON.parse(await new Response(child.stdout).text()) as Flood // printed below
}

/** An event as the ERP sends it: a key of its own, some 300 bytes, of a type that a shipped rule knows. */
function eventBody(key: string): string {
  return JSON.stringify({
    type: "invoice.overdue",
    source: "invoicing",
    idempotency_key: key,
    payload: {
      invoice_id: key,
      invoice_number: "INV-2026-00417",
      customer_name: "Al Noor Trading",
      days_overdue: 9,
      amount_due: 1_250_000,
      currency: "IQD",
      due_date: "2026-02-20",
      branch: "Basra",
    },
  })
}

async function run(port: number, connections: number, seconds: number, apiKey: string): Promise<Flood> {
  const prefix = crypto.randomUUID()
  const latencies: number[] = []
  let others = 0
  let next = 0
  const began = performance.now()
  const end = began + seconds * 1_000
  const one = async (): Promise<void> => {
    const connection = await connect(port)
    while (performance.now() < end) {
      const at = performance.now()
      const status = await connection.request(postEvent(port, apiKey, eventBody(`${prefix}-${next++}`)))
      if (status === 201) latencies.push(performance.now() - at)
      else others++
    }
    connection.close()
  }
  await Promise.all(Array.from({ length: connections }, one))
  const spent = (performance.now() - began) / 1_000
  return {
    accepted: latencies.length,
    others,
    seconds: spent,
    p50: percentile(latencies, 0.5),
    p99: percentile(latencies, 0.99),
  }
}

if (import.meta.main) {
  const [port, connections, seconds, apiKey = ""] = process.argv.slice(2)
  console.log(JSON.stringify(await run(Number(port), Number(connections), Number(seconds), apiKey)))
}
