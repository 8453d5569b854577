/** For tests of long polling: one client's requests, with what stands in their bodies. */
import type { Json } from "../domain/json.ts"
import type { TopicFamily } from "../realtime/topic.ts"
import type { Frame, Room } from "./realtime-room.ts"

export interface PollAnswer {
  readonly status: number
  readonly token?: string
  readonly messages?: readonly string[]
}

const NDJSON = "application/x-ndjson"

export class PollClient {
  readonly #url: string
  /** Of the session; empty before it has one. */
  token = ""

  constructor(url: string) {
    this.#url = url
  }

  /** A client of a room, that has its session. */
  static async open(room: Room, query = "vsn=2.0.0"): Promise<PollClient> {
    const client = new PollClient(pollUrl(room, query))
    const first = await client.poll()
    if (first.status !== 410) throw new Error(`no session: ${first.status}`)
    return client
  }

  get url(): string {
    return this.token === "" ? this.#url : `${this.#url}&token=${this.token}`
  }

  async poll(init: RequestInit = {}): Promise<PollAnswer> {
    const answer = await answerOf(fetch(this.url, init))
    if (answer.token !== undefined) this.token = answer.token
    return answer
  }

  post(lines: readonly (Json | Uint8Array)[], type = NDJSON): Promise<PollAnswer> {
    return this.postText(
      lines
        .map((line) => (line instanceof Uint8Array ? Buffer.from(line).toString("base64") : JSON.stringify(line)))
        .join("\n"),
      type,
    )
  }

  postText(body: string | Uint8Array<ArrayBuffer>, type = NDJSON): Promise<PollAnswer> {
    return answerOf(fetch(this.url, { method: "POST", headers: { "content-type": type }, body }))
  }

  /** The next poll's frames. */
  async frames(): Promise<Frame[]> {
    const { status, messages = [] } = await this.poll()
    if (status !== 200) throw new Error(`expected frames, got ${status}`)
    // The server's frames are what is under test; a wrong shape fails the comparison that follows.
    return messages.map((text) => JSON.parse(text) as Frame)
  }

  /** Joins and gives the reply's payload. */
  async join(topic: string, payload: Json = {}, ref = "1"): Promise<Json> {
    await this.post([[ref, ref, topic, "phx_join", payload]])
    return (await this.frames())[0]?.[4] ?? null
  }
}

export const pollUrl = (room: Room, query = "vsn=2.0.0"): string =>
  `http://127.0.0.1:${room.server.port}/socket/longpoll?${query}`

/** The body of an answer, whose HTTP status is 200 whatever stands in it. */
export async function answerOf(response: Promise<Response>): Promise<PollAnswer> {
  const { status, headers, text } = await response.then(async (got) => ({
    status: got.status,
    headers: got.headers,
    text: await got.text(),
  }))
  if (status !== 200 || headers.get("cache-control") !== "no-store") throw new Error(`HTTP ${status}: ${text}`)
  return JSON.parse(text) as PollAnswer // what is under test
}

/** Answers `echo`; a join of `slow:` waits for `joins`. */
export function probes(joins: Promise<void> = Promise.resolve()): TopicFamily[] {
  return ["echo:", "slow:"].map((prefix) => ({
    name: prefix,
    prefix,
    async join({ topic, admit }) {
      if (prefix === "slow:") await joins
      admit({ response: {}, recovered: null, view: topic, subscription: (version) => `${version} ${topic}` })
      return { kind: "joined" }
    },
    push: ({ payload, event, client }) => {
      if (event === "push") client.push("pushed", payload)
      return event === "echo" ? { kind: "reply", status: "ok", response: payload } : { kind: "silent" }
    },
  }))
}

/** Resolve when a poll is held by the room, and when none is. */
export const held = (of: Room): Promise<void> => until(() => of.realtime.gauges.heldPolls() > 0)
export const released = (of: Room): Promise<void> => until(() => of.realtime.gauges.heldPolls() === 0)
async function until(seen: () => boolean): Promise<void> {
  while (!seen()) await new Promise((resolve) => setImmediate(resolve))
}
