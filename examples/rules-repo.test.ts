/** The rules repository of the example, as a customer keeps it: a real change in a real git repository, and its workflow. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { chmod, cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parse } from "yaml"
import { type GitRepository, gitRepository } from "../src/testing/git-repository.ts"
import { hubCommand, type Ran } from "../src/testing/hub-command.ts"

const ROOT = join(import.meta.dir, "..")
const EXAMPLE = join(ROOT, "examples/rules-repo")
const MARKER = "<!-- hub rules backtest -->"

let repository: GitRepository
let bin: string
beforeAll(async () => {
  repository = await gitRepository()
  await cp(EXAMPLE, repository.dir, { recursive: true })
  await repository.commit("the rules as they are")
  await repository.git("update-ref", "refs/remotes/origin/main", "main")
  await repository.git("switch", "--quiet", "--create", "five-days")
  const text = await readFile(join(repository.dir, "rules/invoicing.yaml"), "utf8")
  const changed = text.replace('">=": [{ var: payload.days_overdue }, 7]', '">=": [{ var: payload.days_overdue }, 5]')
  expect(changed).not.toBe(text)
  await repository.commit("five days", { "rules/invoicing.yaml": changed })
  bin = await mkdtemp(join(tmpdir(), "hub-bin-"))
})
afterAll(async () => {
  await repository.remove()
  await rm(bin, { recursive: true, force: true })
})

const hub = (...args: readonly string[]): Promise<Ran> => hubCommand(args, { cwd: repository.dir })

describe("the rules repository", () => {
  test("is one whose rules load without a doubt, and whose tests pass, before and after the change", async () => {
    for (const branch of ["main", "five-days"]) {
      await repository.git("switch", "--quiet", branch)
      const check = await hub("rules", "check", "--strict")
      expect([check.code, check.err]).toEqual([0, ""])
      const tested = await hub("rules", "test")
      expect([tested.code, tested.err]).toEqual([0, ""])
    }
  })

  test("says in a pull request what the hub's README shows", async () => {
    const replay = ["rules", "backtest", "--base", "main", "--events", "recorded/events.ndjson"]
    const { code, out, err } = await hub(...replay, "--markdown")
    expect([code, err]).toEqual([1, ""])
    expect(out).toStartWith(`${MARKER}\n### Rules: 1 of 3 rules would act differently: 46 → 61 messages\n`)
    const readme = await readFile(join(ROOT, "README.md"), "utf8")
    const shown = /<!-- backtest -->\n([\s\S]*?)\n<!-- \/backtest -->/.exec(readme)?.[1]
    expect(shown?.trim()).toBe(out.replace(`${MARKER}\n`, "").trim())
  })
})

interface Step {
  readonly name: string
  readonly uses?: string
  readonly run?: string
  readonly if?: string
  readonly env?: Readonly<Record<string, string>>
}

interface Workflow {
  readonly permissions: Readonly<Record<string, string>>
  readonly jobs: {
    readonly rules: { readonly permissions: Readonly<Record<string, string>>; readonly steps: readonly Step[] }
  }
}

const workflow = async (): Promise<Workflow> =>
  parse(await readFile(join(EXAMPLE, ".github/workflows/rules.yml"), "utf8"))

/** As `gh api` answers about comments, kept in files. */
const GH = `#!/bin/sh
echo "$@" >> "$GH_STATE/calls"
method=GET; body=; path=
while [ $# -gt 0 ]; do
  case "$1" in
    --method) method=$2; shift ;;
    -F) body=\${2#body=@}; shift ;;
    --jq) shift ;;
    -*|api) ;;
    *) path=$1 ;;
  esac
  shift
done
case "$method $path" in
  "GET repos/o/r/issues/7/comments") [ ! -f "$GH_STATE/42" ] || echo 42 ;;
  "POST repos/o/r/issues/7/comments"|"PATCH repos/o/r/issues/comments/42") cp "$body" "$GH_STATE/42" ;;
  *) exit 1 ;;
esac
`

describe("its workflow", () => {
  test("has no more rights than it needs, actions that nobody can change, and no text of others in its scripts", async () => {
    const { permissions, jobs } = await workflow()
    expect([permissions, jobs.rules.permissions]).toEqual([
      { contents: "read" },
      { contents: "read", "pull-requests": "write" },
    ])
    for (const { uses, run } of jobs.rules.steps) {
      if (uses !== undefined) expect(uses).toMatch(/^[\w-]+\/[\w-]+@[0-9a-f]{40}$/)
      if (run !== undefined) expect(run).not.toContain("${{")
    }
  })

  test("checks, tests, replays, and posts one comment, which later runs replace", async () => {
    const state = join(bin, "state")
    await mkdir(state, { recursive: true })
    const command = `exec "${process.execPath}" --no-env-file "${join(ROOT, "src/main.ts")}" "$@"`
    for (const [name, text] of [
      ["hub", `#!/bin/sh\n${command}\n`],
      ["gh", GH],
    ] as const) {
      await writeFile(join(bin, name), text)
      await chmod(join(bin, name), 0o755)
    }
    const env = {
      PATH: `${bin}:${process.env["PATH"] ?? ""}`,
      RUNNER_TEMP: bin,
      GITHUB_STEP_SUMMARY: join(bin, "summary.md"),
      GITHUB_REPOSITORY: "o/r",
      GH_STATE: state,
      BASE_REF: "main",
      DATABASE_URL: "",
      PULL: "7",
    }
    const { jobs } = await workflow()
    const steps = jobs.rules.steps.filter(({ run, name }) => run !== undefined && name !== "Install the hub")
    expect(steps.map(({ name }) => name)).toEqual(["Check", "Test", "Replay what was recorded", "Comment"])
    const runAll = async (): Promise<void> => {
      for (const { run = "", name } of steps) {
        // As the runner calls it.
        const shell = Bun.spawn(["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", run], {
          cwd: repository.dir,
          env,
          stdout: "pipe",
          stderr: "pipe",
        })
        const [code, err] = await Promise.all([shell.exited, new Response(shell.stderr).text()])
        expect([name, code, err]).toEqual([name, 0, ""])
      }
    }
    await runAll()
    const first = await readFile(join(state, "42"), "utf8")
    expect(first).toStartWith(`${MARKER}\n### Rules: 1 of 3 rules`)
    expect(await readFile(env.GITHUB_STEP_SUMMARY, "utf8")).toBe(first)
    await repository.git("reset", "--quiet", "--hard", "main")
    await runAll()
    expect(await readFile(join(state, "42"), "utf8")).toStartWith(`${MARKER}\n### Rules: nothing would be different`)
    const calls = (await readFile(join(state, "calls"), "utf8")).split("\n")
    expect(calls.filter((call) => call.includes("POST")).length).toBe(1)
    expect(calls.filter((call) => call.includes("PATCH")).length).toBe(1)
  }, 20_000)
})
