/**
 * What Phoenix's own client must be able to do with the hub, over both transports, whoever runs it: the list of what
 * Phoenix tests of client and server together. No import but types, so that a browser can load it beside the client.
 */
import {
  Act,
  answer,
  buffer,
  bytes,
  ended,
  heard,
  insides,
  joins,
  lost,
  type Stage,
  same,
  throws,
  type Way,
} from "./stock-act.ts"

export interface Check {
  readonly title: string
  readonly ways: readonly Way[]
  run(act: Act): Promise<void>
}

const BOTH: readonly Way[] = ["websocket", "longpoll"]
const SOCKETS: readonly Way[] = ["websocket"]
const POLLS: readonly Way[] = ["longpoll"]
const TOPIC = "resources:b-1"

const check = (title: string, ways: readonly Way[], run: (act: Act) => Promise<void>): Check => ({ title, ways, run })

export const CHECKS: readonly Check[] = [
  check(
    "joins with its params, is answered, hears what all hear, leaves, and is a stranger then",
    BOTH,
    async (act) => {
      const socket = await act.open()
      const channel = socket.channel(TOPIC, { a: 1 })
      same(await answer(channel.join()), ["ok", { a: 1 }])
      same(await answer(channel.push("echo", { x: [1, "ü"] })), ["ok", { x: [1, "ü"] }])
      same(await answer(channel.push("fail", { r: 1 })), ["error", { r: 1 }])
      const [pushed, shouted, updated] = ["pushed", "shouted", "resource_update"].map((event) => heard(channel, event))
      channel.push("push", { p: 1 })
      same(await pushed, { p: 1 })
      channel.push("shout", { s: 1 })
      same(await shouted, { s: 1 })
      await act.control(`notify?topic=${TOPIC}`)
      same(await updated, { businessId: "b", locationId: "1", n: 1 })
      same(await answer(channel.leave()), ["ok", {}])
      same([channel.state, insides(socket).channels.length], ["closed", 0])
      // Not through the channel, which would not send it any more.
      const refused = new Promise((done) =>
        socket.onMessage((message) => {
          const { ref, payload } = message as { ref: unknown; payload: unknown }
          if (ref === "99") done(payload)
        }),
      )
      socket.push({ topic: TOPIC, event: "echo", payload: {}, ref: "99", join_ref: "1" })
      same(await refused, { status: "error", response: { reason: "unmatched topic" } })
    },
  ),
  check("nothing of a topic is heard after it was left", BOTH, async (act) => {
    const socket = await act.open()
    const [left, kept] = [socket.channel(TOPIC), socket.channel("resources:b-2")]
    await Promise.all([answer(left.join()), answer(kept.join())])
    let late = 0
    left.on("resource_update", () => {
      late += 1
    })
    await answer(left.leave())
    const last = heard(kept, "resource_update")
    await act.control(`notify?topic=${TOPIC}`)
    await act.control("notify?topic=resources:b-2")
    await last
    same(late, 0)
  }),
  check(
    "a topic nobody knows and one that is refused are answered with the reason, and tried again",
    BOTH,
    async (act) => {
      const socket = await act.open()
      for (const [topic, reason] of [
        ["nothing:x", "unmatched topic"],
        ["resources:refuse", "unauthorized"],
        ["resources:crash", "join crashed"],
      ]) {
        const channel = socket.channel(topic ?? "")
        let tries = 0
        await new Promise<void>((done) =>
          channel.join().receive("error", (response: unknown) => {
            same(response, { reason })
            if (++tries === 2) done()
          }),
        )
        same(channel.state, "errored")
        channel.leave()
      }
      same((await answer(socket.channel(TOPIC).join()))[0], "ok")
    },
  ),
  check("a channel joins once, and a second one of its topic takes its place", BOTH, async (act) => {
    const socket = await act.open()
    const first = socket.channel(TOPIC)
    throws(() => first.push("echo", {}))
    await answer(first.join())
    throws(() => first.join())
    const closed = ended(first)
    const second = socket.channel(TOPIC, { again: true })
    same(await answer(second.join()), ["ok", { again: true }])
    await closed
    same([first.state, second.state], ["closed", "joined"])
    same(await answer(second.push("echo", { to: "new" })), ["ok", { to: "new" }])
  }),
  check("what is pushed before the join is answered waits for it", BOTH, async (act) => {
    const socket = act.client()
    const channel = socket.channel(TOPIC)
    channel.join()
    const pushes = [1, 2, 3].map((n) => answer(channel.push("echo", { n })))
    socket.connect()
    same(
      await Promise.all(pushes),
      [1, 2, 3].map((n) => ["ok", { n }]),
    )
  }),
  check("a push that nobody answers times out by itself", BOTH, async (act) => {
    const channel = (await act.open()).channel(TOPIC)
    await answer(channel.join())
    same((await answer(channel.push("silent", {}, 30)))[0], "timeout")
    same((await answer(channel.push("echo", {})))[0], "ok")
  }),
  check("a join that takes too long is given up, left, and succeeds when it is tried again", BOTH, async (act) => {
    const channel = (await act.open()).channel(`slow:${act.way}-${Math.random()}`)
    const told: string[] = []
    await new Promise<void>((done) =>
      channel
        .join(60)
        .receive("timeout", () => void told.push("timeout"))
        .receive("ok", () => {
          told.push("ok")
          done()
        }),
    )
    same([told[0], told.at(-1), channel.state], ["timeout", "ok", "joined"])
  }),
  check(
    "a topic that crashes is an error there alone, and is joined again with its params asked anew",
    BOTH,
    async (act) => {
      const socket = await act.open()
      let asked = 0
      const channel = socket.channel(TOPIC, () => ({ asked: ++asked }))
      const other = socket.channel("resources:b-2")
      let others = 0
      other.onError(() => {
        others += 1
      })
      await answer(other.join())
      const joined = joins(channel)
      same(await joined(1), { asked: 1 })
      const crashed = lost(channel)
      channel.push("boom", {})
      same(await crashed, { reason: "channel_crash" })
      same(await joined(2), { asked: 2 })
      same(await answer(other.push("echo", { still: "here" })), ["ok", { still: "here" }])
      same(others, 0)
    },
  ),
  check("a topic that the server ends is closed, and not joined again", BOTH, async (act) => {
    const socket = await act.open()
    const channel = socket.channel(TOPIC)
    const joined = joins(channel)
    await joined(1)
    const closed = ended(channel)
    same(await answer(channel.push("stop_reply", {})), ["ok", { bye: true }])
    await closed
    same([channel.state, insides(socket).channels.length], ["closed", 0])
  }),
  check("a line that is lost is an error on each channel; client and channels come back", SOCKETS, async (act) => {
    const socket = await act.open()
    const channels = ["resources:b-1", "resources:b-2"].map((topic) => socket.channel(topic))
    const joined = channels.map(joins)
    await Promise.all(joined.map((nth) => nth(1)))
    const errors = channels.map(lost)
    insides(socket).conn?.close(3000, "lost")
    await Promise.all(errors)
    await Promise.all(joined.map((nth) => nth(2)))
    const updated = channels.map((channel) => heard(channel, "resource_update"))
    for (const { topic } of channels) await act.control(`notify?topic=${topic}`)
    await Promise.all(updated)
  }),
  check("sent away or restarted under, it comes back and joins again", BOTH, async (act) => {
    const socket = await act.open({ params: { token: "good" } })
    const codes: number[] = []
    socket.onClose(({ code }) => void codes.push(code))
    const joined = joins(socket.channel(TOPIC))
    await joined(1)
    await act.control("kick?who=u1")
    await joined(2)
    await act.control("restart")
    await joined(3)
    // A poll has no close codes: the client makes its own of a session that is gone.
    same(codes, act.way === "websocket" ? [1001, 1012] : [3410, 3410])
  }),
  check("a client that disconnects stays away, twice over, and may connect again", BOTH, async (act) => {
    const socket = await act.open()
    socket.connect()
    const joined = joins(socket.channel(TOPIC))
    await joined(1)
    await new Promise<void>((done) => socket.disconnect(() => done()))
    await new Promise<void>((done) => socket.disconnect(() => done()))
    same(socket.isConnected(), false)
    socket.connect()
    await joined(2)
    same(socket.connectionState(), "open")
  }),
  check("heartbeats and pings are answered", SOCKETS, async (act) => {
    const beats: string[] = []
    const socket = await act.open({
      heartbeatIntervalMs: 10,
      logger: (kind, message) => {
        if (kind === "receive" && message.includes("phoenix")) beats.push(message)
      },
    })
    while (beats.length < 3) await new Promise((done) => setTimeout(done, 5))
    same(socket.isConnected(), true)
    await new Promise((done) => socket.ping(done))
  }),
  check(
    "a server that falls silent is given up after a heartbeat without an answer, and found again",
    SOCKETS,
    async (act) => {
      const socket = act.client({ heartbeatIntervalMs: 40 }, "/socket", act.stage.frozenUrl)
      const joined = joins(socket.channel(TOPIC))
      socket.connect()
      await joined(1)
      await act.control("freeze")
      await joined(2)
    },
  ),
  check("a bad token is refused; a function is asked again and may do better", BOTH, async (act) => {
    for (const how of ["params", "authToken"] as const) {
      let asked = 0
      const token = () => (++asked < 3 ? "bad" : "also+/good?>")
      const socket = act.client(how === "params" ? { params: () => ({ token: token() }) } : { authToken: token })
      let failures = 0
      socket.onError(() => {
        failures += 1
      })
      const channel = socket.channel("who:me")
      const joined = joins(channel)
      socket.connect()
      same(await joined(1), { recipient: "u2" })
      same([failures >= 2, asked], [true, 3])
    }
  }),
  check("a version nobody speaks never opens", BOTH, async (act) => {
    const socket = act.client({ vsn: "9.0.0" })
    let opened = 0
    let failures = 0
    socket.onOpen(() => {
      opened += 1
    })
    const refused = new Promise<void>((done) =>
      socket.onError(() => {
        failures += 1
        if (failures === 2) done()
      }),
    )
    socket.connect()
    await refused
    same(opened, 0)
  }),
  check("one channel too many is refused, and room is made by leaving", BOTH, async (act) => {
    const socket = await act.open()
    const channels = Array.from({ length: 5 }, (_, n) => socket.channel(`resources:n-${n}`))
    for (const channel of channels) same((await answer(channel.join()))[0], "ok")
    const sixth = socket.channel("resources:n-5")
    const joined = new Promise<void>((done) => {
      sixth
        .join()
        .receive("error", (response: unknown) => {
          same(response, { reason: "too many channels joined" })
          channels[0]?.leave()
        })
        .receive("ok", () => done())
    })
    await joined
  }),
  check(
    "bytes are pushed, answered and broadcast as bytes, under names that are not ASCII too",
    SOCKETS,
    async (act) => {
      const channel = (await act.open()).channel("resources:ü-1")
      await answer(channel.join())
      const [status, echoed] = await answer(channel.push("echo", buffer(1, 2)))
      same([status, bytes(echoed)], ["ok", [1, 2]])
      const [pushed, shouted] = ["pushed", "shouted"].map((event) => heard(channel, event))
      channel.push("push", buffer(4))
      same(bytes(await pushed), [4])
      channel.push("shout", buffer(7, 8))
      same(bytes(await shouted), [7, 8])
      same(await answer(channel.push("écho", buffer(0))), ["error", { reason: "unknown event" }])
    },
  ),
  check("Presence shows who is there, and who goes", BOTH, async (act) => {
    const topic = "notifications:u1"
    const present = async (screen: string) => {
      const socket = await act.open({ params: { token: "good" } })
      const channel = socket.channel(topic, { presence: { screen } })
      const presence = new act.stage.client.Presence(channel)
      let look = (): void => {}
      presence.onSync(() => look())
      await answer(channel.join())
      const screens = (): unknown[] =>
        presence
          .list((_: string, { metas }: { metas: { screen: string }[] }) => metas.map((meta) => meta.screen))
          .flat()
      const until = (wanted: string[]) =>
        new Promise<void>((done) => {
          look = () => {
            if (JSON.stringify([...screens()].sort()) === JSON.stringify(wanted)) done()
          }
          look()
        })
      return { channel, until }
    }
    const one = await present("one")
    await one.until(["one"])
    const two = await present("two")
    await Promise.all([one.until(["one", "two"]), two.until(["one", "two"])])
    await answer(two.channel.leave())
    await one.until(["one"])
  }),
  check("pushes of one moment travel in one request, 150 of them in two, in their order", POLLS, async (act) => {
    const channel = (await act.open()).channel(TOPIC)
    await answer(channel.join())
    await act.control("posts")
    await Promise.all([1, 2, 3].map((n) => answer(channel.push("echo", { n }))))
    same(await act.control("posts"), 1)
    const order: number[] = []
    const answers = Array.from({ length: 150 }, (_, n) =>
      answer(channel.push("echo", { n })).then(([, response]) => order.push((response as { n: number }).n)),
    )
    await Promise.all(answers)
    same([await act.control("posts"), order], [2, Array.from({ length: 150 }, (_, n) => n)])
  }),
  check("where no WebSocket gets through it falls back to polling, and remembers that", SOCKETS, async (act) => {
    const kept = new Map<string, string>()
    const sessionStorage = {
      getItem: (key: string) => kept.get(key) ?? null,
      setItem: (key: string, value: string) => void kept.set(key, value),
    }
    for (let round = 0; round < 2; round++) {
      const socket = act.client({ longPollFallbackMs: 200, sessionStorage }, "/poll-only/socket")
      const joined = joins(socket.channel(TOPIC))
      socket.connect()
      await joined(1)
      same([...kept], [["phx:fallback:LongPoll", "true"]])
    }
  }),
]

/** Runs one; what it opened is closed whatever comes of it. Rejects with what was wrong. */
export async function runCheck(stage: Stage, title: string, way: Way): Promise<void> {
  const found = CHECKS.find((each) => each.title === title)
  if (found === undefined) throw new Error(`no such check: ${title}`)
  const act = new Act(stage, way)
  try {
    await found.run(act)
  } finally {
    act.end()
  }
}
