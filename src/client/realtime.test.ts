/** `follow` over the stock client's socket, against the hub's own room. What is random is in in-order.test.ts. */
import { afterEach, expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { Presence, Socket } from "phoenix"
import type { BusinessId, LocationId, RecipientId } from "../domain/ids.ts"
import { notificationStream, resourceStream } from "../domain/stream.ts"
import { person, type Room, startRoom } from "../testing/realtime-room.ts"
import { type Following, type FollowOptions, follow, spread } from "./realtime.ts"

const TOPIC = "resources:b1:l1"
const stream = resourceStream("b1" as BusinessId, "l1" as LocationId)
const people = { t: person("u1", [{ business: "b1" as BusinessId, locations: null }]) }

let room: Room
const sockets: Socket[] = []
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.disconnect()
  await room.stop()
})

/** Lets a test keep frames from the client; a frame is lost on the way, not delayed. */
function lossy(lost: (frame: string) => boolean): new (url: string) => object {
  return class extends WebSocket {
    override set onmessage(listen: (event: MessageEvent) => void) {
      super.onmessage = (event) => {
        if (!lost(String(event.data))) listen(event)
      }
    }
  }
}
function connect(options: Readonly<Record<string, unknown>> = {}): Socket {
  const socket = new Socket(`ws://127.0.0.1:${room.server.port}/socket`, {
    params: { token: "t" },
    transport: WebSocket,
    reconnectAfterMs: () => 20,
    ...options,
  })
  sockets.push(socket)
  socket.connect()
  return socket
}

interface Seen extends Following {
  readonly seen: readonly string[]
  /** Resolves when so much was seen. */
  until(count: number): Promise<readonly string[]>
}
function following(socket: Socket, topic: string, options: Partial<FollowOptions> = {}): Seen {
  const seen: string[] = []
  let [wanted, done]: [number, () => void] = [0, () => {}]
  const saw = (word: string): void => {
    seen.push(word)
    if (seen.length >= wanted) done()
  }
  const own = follow(socket, topic, {
    message: ({ event, offset }) => saw(offset === null ? event : String(offset)),
    reload: (why) => saw(why),
    refused: (reason) => saw(reason),
    ...options,
  })
  return {
    seen,
    async until(count) {
      wanted = count
      if (seen.length < count) await new Promise<void>((resolve) => (done = resolve))
      return seen
    },
    get position() {
      return own.position
    },
    leave: () => own.leave(),
  }
}
const push = (n: number): void => room.publish([room.streams.append(stream, { n })])
/** The socket under the client's, which its published types do not mention. */
const line = (socket: Socket): WebSocket => (socket as unknown as { readonly conn: WebSocket }).conn

test("what is missed while the line is down comes after it, in order, each once", async () => {
  room = await startRoom({ people })
  const socket = connect()
  const screen = following(socket, TOPIC)
  await screen.until(1)
  push(1)
  await screen.until(2)
  line(socket).close()
  for (const n of [2, 3]) push(n)
  await screen.until(4)
  push(4)
  expect(await screen.until(5)).toEqual(["first", "1", "2", "3", "4"])
  expect(screen.position).toEqual({ epoch: "e1", offset: 4 })
})

test("a message that the line lost is asked for, by a join that takes the other's place", async () => {
  room = await startRoom({ people })
  const socket = connect({ transport: lossy((frame) => /"_offset":2\}\]$/.test(frame)) })
  let channels = 0
  const screen = following(socket, TOPIC, { opened: () => (channels += 1) })
  await screen.until(1)
  for (const n of [1, 2, 3]) push(n)
  expect(await screen.until(4)).toEqual(["first", "1", "2", "3"])
  push(4)
  expect(await screen.until(5)).toEqual(["first", "1", "2", "3", "4"])
  expect([channels, room.realtime.gauges.joined()]).toEqual([2, 1])
})

test("what the hub no longer has is said, and messages go on from there", async () => {
  room = await startRoom({ people })
  const socket = connect({ rejoinAfterMs: () => 20 })
  const screen = following(socket, TOPIC)
  await screen.until(1)
  line(socket).close()
  for (const n of [1, 2]) room.streams.append(stream, { n })
  room.streams.prune(stream, 2)
  push(3)
  await screen.until(2)
  push(4)
  expect(await screen.until(3)).toEqual(["first", "missed", "4"])
})

test("a position that was kept is gone on from, without loading anything", async () => {
  room = await startRoom({ people })
  for (const n of [1, 2, 3]) push(n)
  const screen = following(connect(), TOPIC, { from: { epoch: "e1", offset: 1 } })
  expect(await screen.until(2)).toEqual(["2", "3"])
})

test("notifications have their order, and what has no position comes as it comes", async () => {
  room = await startRoom({ people })
  const mine = notificationStream("u1" as RecipientId)
  const screen = following(connect(), "notifications:u1")
  await screen.until(1)
  const news = [1, 2].map((n) => room.streams.append(mine, { id: `ntf_${n}`, business_id: "b1" }, "notification"))
  room.publish([
    ...news.slice(1),
    { kind: "stream_message", stream: mine, event: "notification_changed", position: null, payload: "{}" },
  ])
  expect((await screen.until(4)).toSorted()).toEqual(["1", "2", "first", "notification_changed"])
  expect(screen.seen.indexOf("1")).toBeLessThan(screen.seen.indexOf("2"))
})

test("a refusal is told with its reason, and nothing is given out after leaving", async () => {
  room = await startRoom({ people })
  const socket = connect({ rejoinAfterMs: () => 60_000 })
  expect(await following(socket, "resources:b9:l1").until(1)).toEqual(["unauthorized"])
  const screen = following(socket, TOPIC)
  await screen.until(1)
  screen.leave()
  const other = following(socket, "resources:b1")
  await other.until(1)
  push(1)
  room.publish([room.streams.append(resourceStream("b1" as BusinessId, null), { n: 1 })])
  await other.until(2)
  expect(screen.seen).toEqual(["first"])
})

test("who else is there is seen on the channel that follows", async () => {
  room = await startRoom({ people })
  const synced = Promise.withResolvers<void>()
  let presence: Presence | null = null
  const socket = connect()
  follow(socket, TOPIC, {
    params: { presence: { screen: 7 } },
    opened(channel: ReturnType<Socket["channel"]>) {
      presence = new Presence(channel)
      presence.onSync(() => synced.resolve())
    },
    message: () => {},
    reload: () => {},
  })
  await synced.promise
  expect((presence as Presence | null)?.list().length).toBe(1)
})

test("the example of the page works as it stands", async () => {
  room = await startRoom({ people })
  const page = readFileSync(join(import.meta.dir, "README.md"), "utf8")
  const example = /```ts\n(import \{ Socket \} from "phoenix"\n[\s\S]*?)```/.exec(page)?.[1] ?? ""
  const script = new Bun.Transpiler({ loader: "ts" }).transformSync(example.replace(/^import .*$/gm, ""))
  const shown: unknown[] = []
  const seen = Promise.withResolvers<void>()
  const screen = {
    load: (why: string) => {
      shown.push(why)
      push(1)
    },
    show(event: string, payload: unknown, offset: number) {
      shown.push([event, payload, offset])
      seen.resolve()
    },
  }
  class LocalSocket extends Socket {
    constructor(path: string, options: object) {
      super(`ws://127.0.0.1:${room.server.port}${path}`, { transport: WebSocket, ...options })
      sockets.push(this)
    }
  }
  const run = new Function("Socket", "follow", "spread", "token", "screen", script)
  run(LocalSocket, follow, spread, "t", screen)
  await seen.promise
  expect(shown).toEqual(["first", ["resource_update", { n: 1, _offset: 1 }, 1]])
})
