/** The clients of number 38: what each does to its socket, and how that socket is to end. */
import { textFrame, wire } from "../src/testing/fuzz-frames.ts"
import { type Ending, type RawSocket, rawSocket } from "./raw-socket.ts"

export interface Place {
  readonly port: number
  /** Of somebody who may join every place of the business `b1`. */
  readonly token: string
}

export interface HostileClient {
  readonly name: string
  /** `stays`: what it did is answered, and the socket lives on. */
  readonly ends: readonly (Ending | "stays" | "answered otherwise")[]
  readonly vsn?: string
  /** Does it; what came of it, where that is not how the socket ends. */
  act(raw: RawSocket): Promise<"stays" | "answered otherwise" | undefined>
}

/** The topic on which so much is said that who does not read is soon behind. */
export const LOUD = "resources:b1:loud"

const FLOOD = 50_000
const FRAGMENTS = 100_000
const TOO_LARGE = 10 * 1024 * 1024
const MOST_TOPICS = 100
const CHURN_MS = 2

const frame = (...parts: readonly unknown[]): Buffer => textFrame(JSON.stringify(parts))
const join = (topic: string, ref: string): Buffer => frame(ref, ref, topic, "phx_join", {})

/** Collects what is answered until there is as much, or the socket ends. */
function answers(raw: RawSocket, count: number): Promise<readonly string[]> {
  const texts: string[] = []
  const { promise, resolve } = Promise.withResolvers<void>()
  raw.onText = (text) => {
    if (texts.push(text) === count) resolve()
  }
  return Promise.race([promise, raw.ended]).then(() => texts)
}

const has = (texts: readonly string[], part: string): number => texts.filter((text) => text.includes(part)).length

export const CLIENTS: readonly HostileClient[] = [
  {
    name: "floods with 50,000 frames",
    ends: [1008],
    async act(raw) {
      const beat = frame(null, "1", "phoenix", "heartbeat", {})
      raw.socket.write(Buffer.concat(Array.from({ length: FLOOD }, () => beat)))
      return undefined
    },
  },
  {
    name: "sends a frame of 10 MB",
    ends: [1009],
    async act(raw) {
      raw.socket.write(wire(0x81, Buffer.alloc(TOO_LARGE, "x")))
      return undefined
    },
  },
  {
    name: "sends 100,000 fragments of a byte",
    ends: [1011],
    async act(raw) {
      const fragment = wire(0x00, Buffer.from("x"))
      const more = Array.from({ length: FRAGMENTS }, () => fragment)
      raw.socket.write(Buffer.concat([wire(0x01, Buffer.from("x")), ...more, wire(0x80, Buffer.from("x"))]))
      return undefined
    },
  },
  {
    name: "joins 150 topics",
    ends: ["stays"],
    async act(raw) {
      const all = answers(raw, 150)
      for (let n = 0; n < 150; n++) raw.socket.write(join(`resources:b1:l${n}`, String(n)))
      const [ok, refused] = [has(await all, '"status":"ok"'), has(await all, "too many channels joined")]
      return ok === MOST_TOPICS && refused === 50 ? "stays" : "answered otherwise"
    },
  },
  {
    name: "joins and leaves 1,000 times a second",
    ends: [1008],
    async act(raw) {
      for (let n = 0; !raw.isOver() && n < 5_000; n++) {
        raw.socket.write(
          Buffer.concat([join("resources:b1:l1", `${n}`), frame(`${n}`, "0", "resources:b1:l1", "phx_leave", {})]),
        )
        if (n % CHURN_MS === 0) await Bun.sleep(CHURN_MS)
      }
      return undefined
    },
  },
  {
    name: "sends bytes that are no Phoenix frame",
    ends: [1011],
    async act(raw) {
      raw.socket.write(wire(0x82, Buffer.from(Array.from({ length: 1_000 }, (_, n) => (n * 7_919) % 256))))
      return undefined
    },
  },
  {
    name: "sends bytes that are no WebSocket frame",
    ends: [1002, "cut"],
    async act(raw) {
      raw.socket.write(Buffer.from(Array.from({ length: 1_000 }, (_, n) => 255 - ((n * 104_729) % 256))))
      return undefined
    },
  },
  { name: "speaks version 3", vsn: "3.0.0", ends: [403], act: async () => undefined },
  {
    name: "joins twice with one join_ref",
    ends: ["stays"],
    async act(raw) {
      const all = answers(raw, 3)
      raw.socket.write(Buffer.concat([join("resources:b1:l1", "7"), join("resources:b1:l1", "7")]))
      const texts = await all
      return has(texts, '"status":"ok"') === 2 && has(texts, "phx_close") === 1 ? "stays" : "answered otherwise"
    },
  },
]

export const enter = ({ port, token }: Place, vsn = "2.0.0"): Promise<RawSocket> =>
  rawSocket(port, `vsn=${vsn}&token=${encodeURIComponent(token)}`)

/** Joins the loud topic and then reads no more. */
export async function silentReader(place: Place): Promise<RawSocket> {
  const raw = await enter(place)
  const joined = answers(raw, 1)
  raw.socket.write(join(LOUD, "1"))
  await joined
  raw.socket.pause()
  return raw
}
