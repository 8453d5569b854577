/**
 * `hub events tail`: which events a running hub accepts, as they come. It is told by the hub, over the socket that
 * screens use; after a connection was lost it reads what it missed, and says so.
 */

import { asBusinessId } from "../domain/ids.ts"
import type { EventGlimpse } from "../pubsub/pubsub.ts"
import { oneLine } from "../routing/escape.ts"
import { eventTypeFits, patternProblem } from "../routing/event-pattern.ts"
import { type Command, flags, Misuse, settings, type Terminal } from "./command.ts"
import { openEventStream } from "./event-stream.ts"
import { signToken } from "./token.ts"

const READ_DEADLINE_MS = 10_000
const FIRST_WAIT_MS = 500
const LONGEST_WAIT_MS = 10_000
/** What is read after a gap, newest of it; and the ids that are known not to be missed. */
const MOST_MISSED = 200
const MOST_KNOWN = 2_000

export const eventsTail: Command = {
  name: "events tail",
  usage: "[--type 'invoice.*'] [--source s] [--business b1] [--url http://localhost:4000] [--token jwt] [--json]",
  summary: "follow the events that a running hub accepts, until Ctrl-C",
  async run(invocation) {
    const options = { type: { type: "string" }, source: { type: "string" }, business: { type: "string" } } as const
    const { values } = flags(invocation, { ...options, url: { type: "string" }, token: { type: "string" } }, 0)
    const { type, source, business } = values
    const problem = type === undefined ? null : patternProblem(type)
    if (problem !== null)
      throw new Misuse(`--type: ${problem}; expected a type such as invoice.overdue, invoice.* or **`)
    if (business !== undefined && asBusinessId(business) === null) {
      throw new Misuse("--business: expected [A-Za-z0-9_.-]{1,64}")
    }
    const config = settings(invocation)
    const { secret, issuer, audience } = config.jwt
    const { token = null } = values
    if (secret === null && token === null) {
      throw new Misuse(
        "JWT_SECRET is not set: give --token with an admin's token of your identity provider (JWT_JWKS_URL)",
      )
    }
    const tail = new Tail({
      baseUrl: (values.url ?? config.http.publicUrl).replace(/\/+$/, ""),
      token: async () =>
        token ??
        signToken({
          secret: secret?.reveal() ?? "", // there is one where no token was given
          sub: "hub-cli",
          roles: ["admin"],
          tenants: business === undefined ? "*" : [{ business }],
          ttl: "8h",
          issuer,
          audience,
        }),
      fits: (event) =>
        (type === undefined || eventTypeFits(type, event.type)) &&
        (source === undefined || event.source === source) &&
        (business === undefined || event.business_id === business),
      show: values.json ? (event) => JSON.stringify(event) : lineOf,
      showMore: values.json ? (more) => JSON.stringify({ more }) : (more) => `… and ${more} more at once, not shown`,
      terminal: invocation,
    })
    const stop = (): void => tail.stop()
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, stop)
    try {
      await tail.run()
    } finally {
      for (const signal of ["SIGINT", "SIGTERM"] as const) process.off(signal, stop)
    }
    return 0
  },
}

interface TailOptions {
  readonly baseUrl: string
  readonly token: () => Promise<string>
  readonly fits: (event: EventGlimpse) => boolean
  readonly show: (event: EventGlimpse) => string
  readonly showMore: (more: number) => string
  readonly terminal: Terminal
}

class Tail {
  readonly #options: TailOptions
  readonly #stopped = Promise.withResolvers<"stopped">()
  #stopping = false
  /** The last that came, shown or not: what is missed is younger. */
  #lastAt: string | null = null
  readonly #known = new Set<string>()

  constructor(options: TailOptions) {
    this.#options = options
  }

  stop(): void {
    this.#stopping = true
    this.#stopped.resolve("stopped")
  }

  /** Ends when it is stopped. Throws Misuse where the first connection shows that there will be none. */
  async run(): Promise<void> {
    const { baseUrl, token, terminal } = this.#options
    // Whether the hub is there and lets us in, in words that a socket has not; and from where on events are new.
    const newest = await this.#read("limit=1", await token())
    if ("away" in newest) throw new Misuse(`no hub answers at ${baseUrl}: ${newest.away}`)
    if ("refused" in newest) throw new Misuse(`the hub at ${baseUrl} does not let us in: ${newest.refused}`)
    for (const event of newest.events) this.#know(event)
    for (let lost = false, wait = FIRST_WAIT_MS; !this.#stopping; ) {
      const opened = await openEventStream({
        baseUrl,
        token: await token(),
        onEvents: (events, more) => this.#came(events, more),
      })
      if ("refused" in opened) throw new Misuse(`the hub at ${baseUrl} does not let us in: ${opened.refused}`)
      if ("stream" in opened) {
        if (lost) await this.#catchUp()
        else terminal.err(`Following the events of ${baseUrl}. Ctrl-C ends it.`)
        lost = false
        wait = FIRST_WAIT_MS
        const why = await Promise.race([opened.stream.ended, this.#stopped.promise])
        opened.stream.close()
        if (this.#stopping) return
        terminal.err(`The connection was lost (${why}): trying again.`)
      }
      lost = true
      await Promise.race([Bun.sleep(wait), this.#stopped.promise])
      wait = Math.min(LONGEST_WAIT_MS, wait * 2)
    }
  }

  #came(events: readonly EventGlimpse[], more: number): void {
    const { terminal, showMore } = this.#options
    for (const event of events) this.#showOnce(event)
    if (more > 0) terminal.out(showMore(more))
  }

  /** Whether it had not come before. */
  #showOnce(event: EventGlimpse): boolean {
    const { fits, show, terminal } = this.#options
    if (!this.#know(event)) return false
    if (fits(event)) terminal.out(show(event))
    return true
  }

  /** False: it is known already. */
  #know({ id, accepted_at }: EventGlimpse): boolean {
    if (this.#known.has(id)) return false
    this.#known.add(id)
    const [oldest] = this.#known
    if (this.#known.size > MOST_KNOWN && oldest !== undefined) this.#known.delete(oldest)
    if (this.#lastAt === null || accepted_at > this.#lastAt) this.#lastAt = accepted_at
    return true
  }

  /** We are joined again: what came between is read, and nothing falls between that and what comes now. */
  async #catchUp(): Promise<void> {
    const { terminal, token } = this.#options
    const since = this.#lastAt === null ? "" : `&since=${encodeURIComponent(this.#lastAt)}`
    const missed = await this.#read(`limit=${MOST_MISSED}${since}`, await token())
    if (!("events" in missed)) {
      terminal.err("Connected again. What came meanwhile could not be read, and is missing here.")
      return
    }
    const fresh = missed.events.toReversed().filter((event) => this.#showOnce(event))
    const than = missed.more ? `More than ${MOST_MISSED} events came meanwhile: the last of them are shown.` : null
    terminal.err(`Connected again. ${than ?? `${fresh.length} events came meanwhile.`}`)
  }

  async #read(
    query: string,
    token: string,
  ): Promise<
    | { readonly events: readonly EventGlimpse[]; readonly more: boolean }
    | { readonly refused: string }
    | { readonly away: string }
  > {
    try {
      const response = await fetch(`${this.#options.baseUrl}/v1/events?${query}`, {
        headers: { authorization: `Bearer ${token}` },
        signal: AbortSignal.timeout(READ_DEADLINE_MS),
      })
      if (response.status >= 500) return { away: `it answers ${response.status}` }
      if (!response.ok) return { refused: `it answers ${response.status}; is JWT_SECRET here the same as there?` }
      const body: { data: EventGlimpse[]; page_info: { has_more: boolean } } = JSON.parse(await response.text())
      return { events: body.data.map(glimpse), more: body.page_info.has_more }
    } catch (error) {
      return { away: error instanceof Error ? error.message : String(error) }
    }
  }
}

/** Of an event as the API shows it, what the socket shows of one. */
const glimpse = (event: EventGlimpse): EventGlimpse => ({
  id: event.id,
  type: event.type,
  source: event.source,
  severity: event.severity,
  business_id: event.business_id,
  location_id: event.location_id,
  accepted_at: event.accepted_at,
})

/** Names are their producer's: one that holds a terminal's commands moves no cursor. */
function lineOf({ id, type, source, severity, business_id, location_id, accepted_at }: EventGlimpse): string {
  const place = location_id === null ? business_id : `${business_id}/${location_id}`
  return `${accepted_at.slice(11, 23)}  ${id}  ${severity.padEnd(8)}  ${oneLine(type)}  ${oneLine(source)}  ${place}`
}
