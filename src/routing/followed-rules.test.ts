import { afterEach, beforeEach, describe, expect, test } from "bun:test"
import { mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Secret } from "../domain/secret.ts"
import { systemClock } from "../runtime/clock.ts"
import { startTree, supervisor, type Tree } from "../runtime/supervisor.ts"
import { rulesHealth } from "../start.ts"
import { type GitRepository, gitRepository } from "../testing/git-repository.ts"
import { type Heard, heard } from "../testing/heard.ts"
import { oneRule, PLAIN_TEMPLATE } from "../testing/rule-fixtures.ts"
import type { CurrentRules } from "./current-rules.ts"
import { type FollowOptions, followedRules } from "./followed-rules.ts"

let origin: GitRepository
let dir: string
let telemetry: Heard
let tree: Tree | null = null

beforeEach(async () => {
  origin = await gitRepository()
  dir = await mkdtemp(join(tmpdir(), "hub-followed-"))
  telemetry = heard()
})
afterEach(async () => {
  await tree?.stop()
  tree = null
  await origin.remove()
  await rm(dir, { recursive: true, force: true })
})

const named = (name: string): Readonly<Record<string, string>> => ({
  ...PLAIN_TEMPLATE,
  "rules/a.yaml": oneRule().replace("the-rule", name),
})

const follow = (changes: Partial<FollowOptions> = {}): ReturnType<typeof followedRules> =>
  followedRules({
    url: new Secret(`file://${origin.dir}`),
    branch: "main",
    intervalMs: 20,
    dir: join(dir, "rules-git"),
    webhookSecrets: undefined,
    clock: systemClock,
    telemetry,
    random: () => 0.5,
    ...changes,
  })

async function start(changes: Partial<FollowOptions> = {}): Promise<CurrentRules> {
  const first = await follow(changes)
  if (!("ok" in first)) throw new Error(JSON.stringify(first))
  const root = supervisor({ id: "hub", strategy: "one_for_one", children: [first.ok.spec] })
  tree = await startTree(root, { clock: systemClock, emit: () => {}, onGiveUp: () => {} })
  return first.ok
}

const names = (rules: CurrentRules): readonly string[] => rules.get().rules.map((rule) => String(rule.name))
const revisions = (): readonly string[] => telemetry.of("rules_loaded").map(({ revision }) => revision)

describe("a repository that is followed", () => {
  test("is loaded at the start, and again with each commit, by the commit's name", async () => {
    const first = await origin.commit("one", named("first"))
    const rules = await start()
    expect([names(rules), rules.get().revision]).toEqual([["first"], first])
    const second = await origin.commit("two", named("second"))
    await telemetry.waitFor("rules_loaded", 2)
    expect([names(rules), rules.get().revision]).toEqual([["second"], second])
    expect(revisions()).toEqual([first, second])
    expect(await readdir(join(dir, "rules-git"))).not.toContain("rules") // nothing is checked out
  })

  test("is followed where a force-push takes its branch", async () => {
    await origin.commit("one", named("first"))
    await origin.commit("two", named("second"))
    const rules = await start()
    await origin.git("reset", "--quiet", "--hard", "HEAD~1")
    const other = await origin.commit("another two", named("other"))
    await telemetry.waitFor("rules_loaded", 1, ({ revision }) => revision === other)
    expect([names(rules), rules.get().revision]).toEqual([["other"], other])
  })

  test("leaves the last good rules running when a commit does not load, says so, and recovers with the next", async () => {
    const good = await origin.commit("one", named("first"))
    const rules = await start()
    await origin.commit("broken", { "rules/a.yaml": oneRule().replace("notify", "shout") })
    const [refused] = await telemetry.waitFor("rules_refused", 1)
    expect(String(refused?.errors[0])).toStartWith('rules/a.yaml:5:15 unknown action type "shout"')
    expect(rules.get().revision).toBe(good)
    expect(rulesHealth(rules)).toMatchObject({ status: "degraded", detail: { revision: good, errors: 1, away: null } })
    const mended = await origin.commit("mended", named("third"))
    await telemetry.waitFor("rules_loaded", 2)
    expect(rules.get().revision).toBe(mended)
    expect(rulesHealth(rules).status).toBe("up")
    expect(telemetry.of("rules_refused").length).toBe(1)
  })

  test("that is away changes nothing: it is said once, shown, and taken up where it is back", async () => {
    await origin.commit("one", named("first"))
    const rules = await start()
    const hidden = `${origin.dir}-hidden`
    await rename(origin.dir, hidden)
    await telemetry.waitFor("rules_source_away", 1)
    expect(rulesHealth(rules)).toMatchObject({ status: "degraded", detail: { branch: "main" } })
    expect(names(rules)).toEqual(["first"])
    await rename(hidden, origin.dir)
    await origin.commit("two", named("second"))
    await telemetry.waitFor("rules_source_back", 1)
    await telemetry.waitFor("rules_loaded", 2)
    expect([names(rules), rulesHealth(rules).status]).toEqual([["second"], "up"])
    expect(telemetry.of("rules_source_away").length).toBe(1)
  })

  test("need not be there at a later start: the last commit that loaded goes on, not a broken one after it", async () => {
    const good = await origin.commit("one", named("first"))
    await follow()
    await origin.commit("broken", { "rules/a.yaml": "rules: soon" })
    const broken = await follow()
    if (!("ok" in broken)) throw new Error("there is a good one")
    expect([broken.ok.get().revision, broken.ok.refused().length]).toEqual([good, 1])
    await rename(origin.dir, `${origin.dir}-hidden`)
    const away = await follow()
    await rename(`${origin.dir}-hidden`, origin.dir)
    if (!("ok" in away)) throw new Error("there is a good one")
    expect(away.ok.get().revision).toBe(good)
    expect(away.ok.followed?.().away).not.toBeNull()
  })

  test("refuses the start where there is nothing to run: away, no such branch, broken from the first", async () => {
    const words = async (changes: Partial<FollowOptions>): Promise<string> => JSON.stringify(await follow(changes))
    await origin.commit("broken", { "rules/a.yaml": "rules: soon" })
    expect(await words({ url: new Secret("file:///nowhere/rules.git") })).toContain("the repository cannot be asked")
    expect(await words({ branch: "release" })).toContain("release")
    expect(await words({ branch: "a..b" })).toContain("cannot be a branch")
    expect(await words({})).toContain('"file":"rules/a.yaml"')
  })

  test("that answers nothing is given up at the deadline, with whatever git had started for it", async () => {
    const asked = Promise.withResolvers<void>()
    const ended = Promise.withResolvers<void>()
    const silent = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: { open: () => asked.resolve(), data: () => {}, close: () => ended.resolve() },
    })
    try {
      const url = new Secret(`http://127.0.0.1:${silent.port}/rules.git`)
      const first = await follow({ url, deadlineMs: 1_500 })
      expect(JSON.stringify(first)).toContain("cannot be asked: no answer in time")
      await asked.promise
      await ended.promise
    } finally {
      silent.stop(true)
    }
  })

  test("goes on behind locks that a killed git left", async () => {
    await origin.commit("one", named("first"))
    await follow()
    for (const lock of ["shallow.lock", "packed-refs.lock"]) await writeFile(join(dir, "rules-git", lock), "")
    await origin.commit("two", named("second"))
    const again = await follow()
    expect("ok" in again && names(again.ok)).toEqual(["second"])
  })
})

/** The repository over HTTP, by git's own server, behind a password. */
function served(password: string) {
  const expected = `Basic ${Buffer.from(`bot:${password}`).toString("base64")}`
  const server = Bun.serve({
    port: 0,
    async fetch(request) {
      if (request.headers.get("authorization") !== expected) {
        return new Response("no", { status: 401, headers: { "www-authenticate": 'Basic realm="git"' } })
      }
      const { pathname, search } = new URL(request.url)
      const backend = Bun.spawn(["git", "http-backend"], {
        env: {
          PATH: process.env["PATH"] ?? "",
          GIT_PROJECT_ROOT: join(origin.dir, ".git"),
          GIT_HTTP_EXPORT_ALL: "1",
          PATH_INFO: pathname.replace("/rules.git", ""),
          QUERY_STRING: search.slice(1),
          REQUEST_METHOD: request.method,
          CONTENT_TYPE: request.headers.get("content-type") ?? "",
          GIT_PROTOCOL: request.headers.get("git-protocol") ?? "",
          HTTP_CONTENT_ENCODING: request.headers.get("content-encoding") ?? "",
        },
        stdin: new Blob([await request.arrayBuffer()]),
        stdout: "pipe",
        stderr: "ignore",
      })
      const answer = Buffer.from(await new Response(backend.stdout).arrayBuffer())
      const end = answer.indexOf("\r\n\r\n")
      const headers = answer
        .toString("latin1", 0, end)
        .split("\r\n")
        .map((line): [string, string] => [line.split(": ")[0] ?? "", line.split(": ")[1] ?? ""])
      const status = Number(new Map(headers).get("Status")?.slice(0, 3) ?? 200)
      return new Response(answer.subarray(end + 4), { status, headers })
    },
  })
  return { port: server.port, stop: () => server.stop(true) }
}

describe("a password in the URL", () => {
  test("opens the repository, and stands in a file for us alone and nowhere else", async () => {
    await origin.commit("one", named("first"))
    const http = served("hunter2secret")
    try {
      const right = await follow({ url: new Secret(`http://bot:hunter2secret@127.0.0.1:${http.port}/rules.git`) })
      expect("ok" in right && names(right.ok)).toEqual(["first"])
      telemetry.clear()
      const wrong = await follow({ url: new Secret(`http://bot:hunter3wrong@127.0.0.1:${http.port}/rules.git`) })
      const said = JSON.stringify([wrong, telemetry.of("rules_source_away")])
      expect(said).toMatch(/Authentication failed|could not read/)
      expect(said).not.toContain("hunter")
      expect(await readFile(join(dir, "rules-git/config"), "utf8")).not.toContain("hunter")
      const { mode } = await stat(join(dir, "rules-git/hub-credentials"))
      expect((mode & 0o777).toString(8)).toBe("600")
    } finally {
      http.stop()
    }
  })
})
