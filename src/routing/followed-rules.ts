/**
 * The rules of a git repository that the hub follows by itself. What it fetches stays in git's own store and is read from
 * there whole, by commit: nothing is checked out, so nobody ever sees half of a change. The last commit that loaded is
 * remembered, for a start at which the repository cannot be asked.
 */
import { chmod, mkdir, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import type { Secret } from "../domain/secret.ts"
import { type ActorContext, actor, type Behaviour, type TaskOutcome } from "../runtime/actor.ts"
import type { Clock } from "../runtime/clock.ts"
import type { Emitter } from "../telemetry/bus.ts"
import { describeError, type ScrubbedText, scrub } from "../telemetry/scrub.ts"
import { type CurrentRules, type Followed, type Held, reportLoaded, swap } from "./current-rules.ts"
import { git } from "./git.ts"
import type { LoadedRuleSet } from "./load.ts"
import type { RuleError } from "./rule-error.ts"
import { rulesOfCommit } from "./rules-at-revision.ts"

export interface FollowOptions {
  /** May hold a user and a password, which stand in no process list and in no log. */
  readonly url: Secret
  readonly branch: string
  /** Between two looks. */
  readonly intervalMs: number
  /** A folder of the hub's own. */
  readonly dir: string
  readonly webhookSecrets: readonly string[] | undefined
  readonly clock: Clock
  readonly telemetry: Emitter
  /** In [0, 1). */
  readonly random: () => number
  /** How long a fetch may take. Default 60,000. */
  readonly deadlineMs?: number
}

const FETCH_DEADLINE_MS = 60_000
const QUICK_DEADLINE_MS = 10_000
/** A repository that is away is asked less and less often, but no less than this. */
const LONGEST_WAIT_MS = 300_000
const FETCHED = "refs/hub/fetched"
const GOOD = "refs/hub/good"
const LOCKS = ["shallow.lock", "packed-refs.lock", `${FETCHED}.lock`, `${GOOD}.lock`]
/** In the repository's root. */
const PATHS = { rules: "rules", templates: "templates" }

export type FirstRules =
  | { readonly ok: CurrentRules }
  | { readonly errors: readonly RuleError[] }
  | { readonly problem: string }

/**
 * Fetches and loads for the first time. Where the repository cannot be asked, or what it holds now does not load, it goes on with the
 * last commit that did; `problem` or `errors`: there is none.
 */
export async function followedRules(options: FollowOptions): Promise<FirstRules> {
  const began = options.clock.now()
  const wall = options.clock.wall().getTime()
  const made = await prepareStore(options)
  if (made !== null) return { problem: `HUB_RULES_GIT_URL: ${made}` }
  const fetched = await fetchBranch(options)
  const loaded = "commit" in fetched ? await load(options, fetched.commit) : null
  const away = "away" in fetched ? fetched.away : loaded !== null && "problem" in loaded ? scrub(loaded.problem) : null
  const errors = loaded !== null && "errors" in loaded ? loaded.errors : []
  const last = loaded !== null && "ok" in loaded ? loaded : await lastGood(options)
  if (last === null) {
    return away === null ? { errors } : { problem: `HUB_RULES_GIT_URL: the repository cannot be asked: ${away}` }
  }
  const held: Held = { ruleSet: last.ok, refused: [] }
  reportLoaded(options, last.ok, began)
  if (errors.length > 0) swap({ errors }, held, options, began)
  const standing: Standing = { askedAt: away === null ? wall : null, away: null, failures: 0 }
  const seen = "commit" in fetched && away === null ? fetched.commit : null
  const spec = actor<Message>({
    id: "rules",
    start: (ctx) => follower(ctx, options, held, standing, seen),
    mailbox: { bound: 4, overflow: "drop_newest" },
    backoff: {},
  })
  if (away !== null) failed(options, standing, away)
  const followed = (): Followed => ({ branch: options.branch, askedAt: standing.askedAt, away: standing.away })
  return { ok: { get: () => held.ruleSet, refused: () => held.refused, spec, followed } }
}

/** Outlives the actor's restarts. */
interface Standing {
  askedAt: number | null
  away: ScrubbedText | null
  failures: number
}

type Looked =
  | { readonly away: ScrubbedText }
  | { readonly commit: string }
  | { readonly commit: string; readonly loaded: LoadedRuleSet }
type Message = "look" | { readonly looked: TaskOutcome<Looked> }

function follower(
  ctx: ActorContext<Message>,
  options: FollowOptions,
  held: Held,
  standing: Standing,
  first: string | null,
): Behaviour<Message> {
  const { intervalMs, random, clock, deadlineMs = FETCH_DEADLINE_MS } = options
  let seen = first
  let began = clock.now()

  const wait = (): void => {
    const longest = Math.max(intervalMs, LONGEST_WAIT_MS)
    const plain = Math.min(longest, intervalMs * 2 ** Math.min(10, Math.max(0, standing.failures - 1)))
    // Nodes that were started together do not ask together for ever.
    ctx.sendAfter(plain * (0.9 + 0.2 * random()), "look")
  }

  const take = (looked: Looked): void => {
    if ("away" in looked) {
      failed(options, standing, looked.away)
      return
    }
    if (standing.failures > 0) options.telemetry.emit({ kind: "rules_source_back", failures: standing.failures })
    Object.assign(standing, { askedAt: clock.wall().getTime(), away: null, failures: 0 } satisfies Standing)
    if (!("loaded" in looked)) return
    seen = looked.commit
    swap(looked.loaded, held, options, began)
  }

  ctx.sendAfter(first === null ? 0 : intervalMs * random(), "look")
  return {
    handle(message) {
      if (message === "look") {
        began = clock.now()
        const asked = seen
        ctx.task(
          (signal) => look(options, asked, signal),
          (looked) => ({ looked }),
          { timeoutMs: deadlineMs + 2 * QUICK_DEADLINE_MS },
        )
        return
      }
      const { looked } = message
      switch (looked.kind) {
        case "done":
          take(looked.value)
          break
        case "failed":
          failed(options, standing, describeError(looked.error))
          break
        case "timeout":
          failed(options, standing, scrub(`no answer within ${looked.afterMs} ms`))
          break
      }
      wait()
    },
  }
}

function failed({ telemetry }: FollowOptions, standing: Standing, away: ScrubbedText): void {
  standing.failures += 1
  if (standing.away === null) telemetry.emit({ kind: "rules_source_away", error: away })
  standing.away = away
}

/** What is new, if anything. */
async function look(options: FollowOptions, seen: string | null, signal: AbortSignal): Promise<Looked> {
  const fetched = await fetchBranch(options, signal)
  if ("away" in fetched || fetched.commit === seen) return fetched
  const loaded = await load(options, fetched.commit)
  return "problem" in loaded ? { away: scrub(loaded.problem) } : { commit: fetched.commit, loaded }
}

async function load(
  { dir, clock, webhookSecrets }: FollowOptions,
  commit: string,
): Promise<LoadedRuleSet | { readonly problem: string }> {
  const loaded = await rulesOfCommit(dir, commit, { paths: PATHS, wallMillis: clock.wall().getTime(), webhookSecrets })
  // Where it cannot be written down, a start without the repository finds an older one: no reason not to run this one.
  if ("ok" in loaded) await git(dir, ["update-ref", GOOD, commit], { deadlineMs: QUICK_DEADLINE_MS })
  return loaded
}

async function lastGood(options: FollowOptions): Promise<Extract<LoadedRuleSet, { ok: unknown }> | null> {
  const commit = await commitAt(options.dir, GOOD)
  const loaded = commit === null ? null : await load(options, commit)
  return loaded !== null && "ok" in loaded ? loaded : null
}

async function commitAt(dir: string, ref: string): Promise<string | null> {
  const answer = await git(dir, ["rev-parse", "--verify", "--quiet", `${ref}^{commit}`], {
    deadlineMs: QUICK_DEADLINE_MS,
  })
  return "out" in answer ? answer.out.toString("utf8").trim() : null
}

/** Its newest commit alone; a branch that was moved anywhere is followed there. */
async function fetchBranch(
  options: FollowOptions,
  signal?: AbortSignal,
): Promise<{ readonly commit: string } | { readonly away: ScrubbedText }> {
  const { dir, branch, deadlineMs = FETCH_DEADLINE_MS } = options
  await writeConfig(options)
  // Of a git that was killed while it held them: nobody else works here.
  for (const lock of LOCKS) await rm(join(dir, lock), { force: true })
  const refspec = `+refs/heads/${branch}:${FETCHED}`
  const answer = await git(dir, ["fetch", "--quiet", "--depth=1", "--no-tags", "origin", refspec], {
    deadlineMs,
    ...(signal === undefined ? {} : { signal }),
  })
  if (!("out" in answer)) return { away: answer.said }
  const commit = await commitAt(dir, FETCHED)
  return commit === null ? { away: scrub("what was fetched cannot be found") } : { commit }
}

/** Makes git's store; says what is in the way. */
async function prepareStore({ dir, branch }: FollowOptions): Promise<string | null> {
  try {
    await mkdir(dir, { recursive: true, mode: 0o700 })
    await chmod(dir, 0o700)
  } catch (error) {
    return `${dir} cannot be made: ${describeError(error)}`
  }
  const made = await git(dir, ["init", "--quiet", "--bare"], { deadlineMs: QUICK_DEADLINE_MS })
  if (!("out" in made)) {
    return made.problem === "missing" ? "git cannot be run: is it installed?" : `git init: ${made.said}`
  }
  const named = await git(dir, ["check-ref-format", "--branch", branch], { deadlineMs: QUICK_DEADLINE_MS })
  return "out" in named ? null : `HUB_RULES_GIT_BRANCH: ${JSON.stringify(branch)} cannot be a branch`
}

/**
 * Where to fetch from. Git shows the URL to everybody on the machine, as an argument of its helper: so what is secret of it
 * stands in a file, which git's own helper reads. It forgets credentials that were refused, so they are written each time.
 */
async function writeConfig({ dir, url }: FollowOptions): Promise<void> {
  const { plain, secret } = split(url.reveal())
  const credentials = join(dir, "hub-credentials")
  const helper =
    secret === null ? [] : [`\thelper = ${quoted(`store --file='${credentials.replaceAll("'", `'\\''`)}'`)}`]
  if (secret !== null) await writeFile(credentials, `${secret}\n`, { mode: 0o600 })
  const text = [
    "[core]",
    "\trepositoryformatversion = 0",
    "\tbare = true",
    '[remote "origin"]',
    `\turl = ${quoted(plain)}`,
    // Other helpers of this user are not asked, and nothing stays behind to tidy up.
    "[credential]",
    "\thelper =",
    ...helper,
    "[gc]",
    "\tautoDetach = false",
    "[maintenance]",
    "\tautoDetach = false",
    "",
  ].join("\n")
  await writeFile(join(dir, "config"), text, { mode: 0o600 })
}

/** A URL of http without its user and password, and with them where there are any. Whatever else git knows stays as it is. */
function split(url: string): { readonly plain: string; readonly secret: string | null } {
  if (!/^https?:\/\//i.test(url) || !URL.canParse(url)) return { plain: url, secret: null }
  const parsed = new URL(url)
  if (parsed.username === "" && parsed.password === "") return { plain: url, secret: null }
  // A token alone stands where the user does; the helper wants both.
  const { username, password, protocol, host } = parsed
  const secret = `${protocol}//${username || "git"}:${password || username}@${host}`
  parsed.username = ""
  parsed.password = ""
  return { plain: parsed.href, secret }
}

const quoted = (text: string): string => `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`
