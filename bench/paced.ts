/**
 * A steady load on a hub, and a provider that sees it come out: events are posted at their rate whatever the answers do,
 * so that a stall of the hub counts for every event that had to wait.
 */
import { until } from "./harness.ts"
import { type Connection, connect, postEvent } from "./http-client.ts"
import { API_KEY } from "./servers.ts"

/** The people whom the bench's events are about, `person-0` and so on. */
export const PEOPLE = 100
const CONNECTIONS = 64
const DEADLINE_MS = 120_000

/** Of the event with this number, as the bench's rule takes it. */
export const payload = (number: number) => ({ number, amount: 1_250, user_id: `person-${number % PEOPLE}` })

/** Milliseconds since the Unix epoch with their fractions, as the database has them too. */
const now = (): number => performance.timeOrigin + performance.now()

export const covers = (calledAt: ReadonlyMap<string, number>, dueAt: ReadonlyMap<string, number>): boolean =>
  [...dueAt.keys()].every((key) => calledAt.has(key))

export const between = (dueAt: ReadonlyMap<string, number>, calledAt: ReadonlyMap<string, number>): readonly number[] =>
  [...dueAt].map(([key, due]) => (calledAt.get(key) ?? Number.NaN) - due)

export interface Pace {
  /** Events a second. */
  readonly rate: number
  readonly seconds: number
  readonly warmUpSeconds: number
  /** The number of the first event; numbers of one hub do not repeat. */
  readonly first: number
}

/** Posts at the rate whatever the answers do. Keys of the measured part → when each was due to be sent. */
export async function paced(
  port: number,
  { rate, seconds, warmUpSeconds, first }: Pace,
): Promise<{ dueAt: ReadonlyMap<string, number>; answer: readonly number[] }> {
  const idle: Connection[] = await Promise.all(Array.from({ length: CONNECTIONS }, () => connect(port)))
  const connections = [...idle]
  const waiting: { number: number; due: number }[] = []
  const dueAt = new Map<string, number>()
  const answer: number[] = []
  const refused: number[] = []
  const end = first + rate * (warmUpSeconds + seconds)
  const measuredFrom = first + rate * warmUpSeconds
  let answered = 0

  const send = async (connection: Connection, number: number, due: number): Promise<void> => {
    const body = { type: "bench.happened", source: "bench", idempotency_key: String(number), payload: payload(number) }
    const status = await connection.request(postEvent(port, API_KEY, JSON.stringify(body)))
    answered += 1
    if (status !== 201) refused.push(status)
    if (number >= measuredFrom) answer.push(now() - due)
    const next = waiting.shift()
    if (next === undefined) idle.push(connection)
    else await send(connection, next.number, next.due)
  }

  const began = now()
  let number = first
  const failures: unknown[] = []
  const dueOf = (which: number): number => began + ((which - first) * 1_000) / rate
  while (number < end) {
    for (; number < end && dueOf(number) <= now(); number++) {
      const due = dueOf(number)
      if (number >= measuredFrom) dueAt.set(String(number), due)
      const connection = idle.shift() // in turn, because the hub closes what is idle for ten seconds
      if (connection === undefined) waiting.push({ number, due })
      else send(connection, number, due).catch((error: unknown) => failures.push(error))
    }
    await Bun.sleep(1)
  }
  await until("all posts are answered", async () => answered === end - first || failures.length > 0, DEADLINE_MS)
  for (const connection of connections) connection.close()
  if (failures.length > 0 || refused.length > 0)
    throw new Error(`refused: ${new Set(refused).size} kinds, ${failures[0]}`)
  return { dueAt, answer }
}

export interface TelegramProvider {
  /** When each event's message arrived, by its number. */
  readonly calledAt: ReadonlyMap<string, number>
  /** What sends a hub here. */
  readonly settings: Readonly<Record<string, string>>
  stop(): Promise<void>
}

/** A Bot API in this process that takes everything. */
export function telegramProvider(): TelegramProvider {
  const calledAt = new Map<string, number>()
  const provider = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      const at = now()
      const { text, chat_id } = (await request.json()) as { text: string; chat_id: string } // as the Bot API takes it
      const number = /Number (\d+)/.exec(text)?.[1]
      if (number !== undefined) calledAt.set(number, at)
      const result = { message_id: calledAt.size, date: 0, chat: { id: Number(chat_id), type: "private" }, text }
      return Response.json({ ok: true, result })
    },
  })
  const settings = { TELEGRAM_BOT_TOKEN: "123456:bench", TELEGRAM_API_ROOT: `http://127.0.0.1:${provider.port}` }
  return { calledAt, settings, stop: () => provider.stop(true) }
}
