import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test"
import { Validator } from "@seriousme/openapi-schema-validator"
import { actor, service } from "../runtime/actor.ts"
import type { ChildSpec } from "../runtime/child-spec.ts"
import { systemClock } from "../runtime/clock.ts"
import { pool, startTree, supervisor, type Tree } from "../runtime/supervisor.ts"
import { shownId } from "../telemetry/actor-sight.ts"
import type { ActorLine, ActorTree } from "../telemetry/actor-tree.ts"
import { fromRuntime } from "../telemetry/from-runtime.ts"
import { createLog } from "../telemetry/log.ts"
import { createMetrics } from "../telemetry/metrics.ts"
import { treeMetrics } from "../telemetry/tree-metrics.ts"
import { type Front, jsonOf, SERVICE_KEY, startFront, tokenFor } from "../testing/front.ts"
import { actorRoutes } from "./actors.ts"
import { openapiDocument } from "./openapi.ts"

const B1_ADMIN_KEY = "test-b1-admin-key-0123456789"
const PERSON = "topic notifications:canary@example.com"

let tree: Tree | null = null
let front: Front
let logged = ""
let failing = false
/** What the slow one waits for at its end. */
const held = Promise.withResolvers<void>()
const metrics = createMetrics()

type Job = "work" | "crash"
const worker = (id: string, more: { kind?: string; slow?: boolean } = {}): ChildSpec =>
  actor<Job>({
    id,
    kind: more.kind ?? "worker",
    start() {
      if (failing) throw new Error("no luck for canary@example.com")
      return {
        handle(job) {
          if (job === "crash") throw new Error("canary@example.com is not reachable")
        },
        ...(more.slow === true ? { terminate: () => held.promise } : {}),
      }
    },
  })
const topics = ["topic resources:b1:l1", "topic resources:b2:l1", PERSON, "topic odd/one 100%"]

beforeAll(async () => {
  const log = createLog({
    level: "debug",
    format: "json",
    write(line) {
      logged += line
    },
  })
  front = await startFront(
    ({ clock, telemetry }) => {
      telemetry.subscribe(log.subscriber)
      telemetry.subscribe(metrics.subscriber)
      return [
        actorRoutes({
          note: () => Promise.resolve(),
          node: "hubbub-test",
          clock,
          telemetry,
          tree: () => tree,
          once: { http: "it carries your own request" },
          patienceMs: 200,
        }),
      ]
    },
    { HUB_API_KEYS: `test-admin-key-0123456789:admin,${SERVICE_KEY}:service,${B1_ADMIN_KEY}:admin:b1` },
  )
  treeMetrics(metrics, () => tree?.snapshot().kinds ?? null)
  const root = supervisor({
    id: "hub",
    strategy: "one_for_one",
    intensity: 100,
    children: [
      supervisor({ id: "channel:email", strategy: "one_for_one", children: [worker("dispatcher:email")] }),
      worker("slow", { slow: true }),
      pool<string>({ id: "topics", child: (id) => worker(id, { kind: "topic" }), intensity: 100 }),
      supervisor({
        id: "doors",
        strategy: "one_for_one",
        children: [service({ id: "http", start: () => ({ stop() {} }) })],
      }),
    ],
  })
  tree = await startTree(root, {
    clock: systemClock,
    emit: (event) => front.telemetry.emit(fromRuntime(event)),
    onGiveUp() {},
  })
  for (const id of topics) expect(await tree.pool<string>("topics").startChild(id)).toMatchObject({ kind: "started" })
})
afterAll(async () => {
  held.resolve()
  await tree?.stop()
  metrics.close()
  await front.stop()
})
beforeEach(() => {
  failing = false
})

const get = (key?: string | null): Promise<Response> => front.call("/admin/actors", key === undefined ? {} : { key })
const restart = (id: string, key?: string | null): Promise<Response> =>
  front.call(`/admin/actors/${encodeURIComponent(id)}/restart`, {
    method: "POST",
    ...(key === undefined ? {} : { key }),
  })
const flat = (line: ActorLine): ActorLine[] => [line, ...(line.children ?? []).flatMap(flat)]
const seenBy = async (key?: string): Promise<ActorLine[]> => flat((await jsonOf<ActorTree>(get(key))).tree)
const asked = () => front.emitted.filter((event) => event.kind === "actor_restart_asked")
const incarnationOf = (id: string): number => tree?.whereis(id)?.incarnation ?? 0

describe("GET /admin/actors", () => {
  test("shows every part of the tree to an admin without limits", async () => {
    const answer = await get()
    expect(answer.status).toBe(200)
    const body = await jsonOf<ActorTree>(answer)
    expect(body).toMatchObject({ node: "hubbub-test", stuck: 0, tree: { id: "hub", children_count: 4 } })
    const ids = flat(body.tree).map(({ id }) => id)
    expect(ids).toEqual(expect.arrayContaining(["channel:email", "dispatcher:email", "http", ...topics.map(shownId)]))
  })

  test.each([
    ["nobody", null, 401],
    ["a key of scope service", SERVICE_KEY, 403],
  ])("is not for %s", async (_, key, status) => {
    expect((await get(key)).status).toBe(status)
    expect((await restart("dispatcher:email", key)).status).toBe(status)
  })

  test("is not for a person without the role", async () => {
    expect((await get(await tokenFor({ sub: "u1", business_id: "b1" }))).status).toBe(403)
  })

  test("names no topic of another business to an admin of one", async () => {
    const confined = [B1_ADMIN_KEY, await tokenFor({ sub: "u1", role: "admin", business_id: "b1" })]
    for (const key of confined) {
      const lines = await seenBy(key)
      const shown = lines.find(({ id }) => id === "topics")
      expect(shown?.children?.map(({ id }) => id)).toEqual(["topic resources:b1:l1"])
      expect(shown?.children_count).toBe(topics.length)
      expect(lines.map(({ id }) => id)).toContain("dispatcher:email")
    }
  })

  test("is described as it is", async () => {
    const file = actorRoutes({
      note: () => Promise.resolve(),
      node: "n",
      clock: systemClock,
      telemetry: front.telemetry,
      tree: () => null,
      once: {},
    })
    const document = openapiDocument([file], { version: "1.0.0" })
    const result = await new Validator().validate(JSON.parse(JSON.stringify(document)))
    expect(result.errors ?? []).toEqual([])
    const [lines] = [await seenBy()]
    const properties = Object.keys((file.schemas?.["ActorLine"]?.["properties"] ?? {}) as object)
    for (const line of lines) expect(Object.keys(line).toSorted()).toEqual(properties.toSorted())
  })
})

describe("POST /admin/actors/{id}/restart", () => {
  test("restarts an actor, and a supervisor with all below it", async () => {
    const before = incarnationOf("dispatcher:email")
    const answer = await restart("dispatcher:email")
    expect([answer.status, await answer.json()]).toEqual([200, { result: "restarted" }])
    expect(incarnationOf("dispatcher:email")).toBe(before + 1)
    expect((await restart("channel:email")).status).toBe(200)
    expect(incarnationOf("dispatcher:email")).toBe(before + 2)
  })

  test("takes ids with colons, blanks, slashes and percent signs", async () => {
    for (const id of ["topic odd/one 100%", "topic resources:b1:l1"]) {
      const before = incarnationOf(id)
      expect((await restart(id)).status).toBe(200)
      expect(incarnationOf(id)).toBe(before + 1)
    }
  })

  test("takes the hash of an id that would name a person, and not the id", async () => {
    const before = incarnationOf(PERSON)
    expect((await restart(shownId(PERSON))).status).toBe(200)
    expect(incarnationOf(PERSON)).toBe(before + 1)
    expect((await restart(PERSON)).status).toBe(404)
    expect(incarnationOf(PERSON)).toBe(before + 1)
  })

  test("of what is not there is 404, and of another business's topic in the same words", async () => {
    const unknown = await jsonOf<{ detail: string }>(restart("nobody", B1_ADMIN_KEY))
    for (const id of ["topic resources:b2:l1", "topic odd/one 100%", shownId(PERSON)]) {
      const before = incarnationOf(id)
      const answer = await restart(id, B1_ADMIN_KEY)
      expect(answer.status).toBe(404)
      expect(await jsonOf<{ detail: string }>(answer)).toMatchObject({ detail: unknown.detail, code: "not_found" })
      expect(incarnationOf(id)).toBe(before)
    }
  })

  test("a confined admin may restart a topic of theirs, and is told what a shared part needs", async () => {
    expect((await restart("topic resources:b1:l1", B1_ADMIN_KEY)).status).toBe(200)
    const before = incarnationOf("dispatcher:email")
    const answer = await restart("dispatcher:email", B1_ADMIN_KEY)
    expect(answer.status).toBe(403)
    expect(await jsonOf<{ detail: string }>(answer)).toMatchObject({ detail: expect.stringContaining("admin of all") })
    expect(incarnationOf("dispatcher:email")).toBe(before)
  })

  test("of the whole tree, of what carries the request, or of what is above that, is refused with the reason", async () => {
    for (const id of ["hub", "http", "doors"]) {
      const answer = await restart(id)
      expect([answer.status, answer.headers.get("content-type")]).toEqual([409, "application/problem+json"])
      expect(await jsonOf<{ detail: string }>(answer)).toMatchObject({
        code: "conflict",
        detail: expect.stringMatching(/^root: /),
      })
    }
  })

  test("that does not come up again is 409 with the scrubbed reason", async () => {
    failing = true
    const answer = await restart("dispatcher:email")
    const text = await answer.text()
    expect(answer.status).toBe(409)
    expect(text).toContain("failed: it did not start (Error: no luck for «e-mail»)")
    failing = false
  })

  test("that takes long is answered before the connection is given up, and a second one waits its turn", async () => {
    const first = await restart("slow")
    expect(first.status).toBe(409)
    expect(await jsonOf<{ detail: string }>(first)).toMatchObject({
      detail: expect.stringMatching(/^not_now: it is still/),
    })
    const second = await restart("slow")
    expect(second.status).toBe(409)
    expect(await jsonOf<{ detail: string }>(second)).toMatchObject({ detail: expect.stringMatching(/^not_now/) })
    held.resolve()
  })

  test("is told with who asked and what they were answered", async () => {
    const before = asked().length
    await restart("dispatcher:email", B1_ADMIN_KEY)
    await restart("topic resources:b1:l1")
    expect(asked().slice(before)).toMatchObject([
      { actor: "dispatcher:email", by: expect.stringMatching(/./), answer: "refused" },
      { actor: "topic resources:b1:l1", answer: "restarted" },
    ])
    expect(logged).toContain('"actor_restart_asked"')
  })
})

describe("while the tree is starting", () => {
  test("both answer 503", async () => {
    const was = tree
    tree = null
    const answers = [await get(), await restart("x")]
    tree = was
    expect(answers.map(({ status }) => status)).toEqual([503, 503])
  })
})

test("no person's address or name is in the tree, the answers, the metrics or the log", async () => {
  tree?.ref<Job>(PERSON).send("crash")
  tree?.ref<Job>("dispatcher:email").send("crash")
  const crashed = (lines: readonly ActorLine[]): boolean =>
    lines.filter(({ recent_restarts }) => recent_restarts.some(({ reason }) => reason === "error")).length >= 2
  let lines = await seenBy()
  for (let tries = 0; !crashed(lines) && tries < 100; tries++) lines = await seenBy()
  expect(crashed(lines)).toBe(true)
  const answers = await Promise.all(
    [await get(), await restart(shownId(PERSON)), await restart(PERSON)].map((answer) => answer.text()),
  )
  const everything = [...answers, await metrics.render(), logged, JSON.stringify(front.emitted)].join("\n")
  expect(everything).toContain("«e-mail»")
  expect(everything).toContain(shownId(PERSON))
  expect(everything.replaceAll(encodeURIComponent(PERSON), "")).not.toContain("canary")
})
