/**
 * The rule set that runs now. It is swapped whole when the folders change; a change that cannot be loaded is reported
 * and leaves the last good set running. A batch that has begun keeps the set it began with.
 */
import { type FSWatcher, watch } from "node:fs"
import { type ActorContext, actor, type Behaviour } from "../runtime/actor.ts"
import type { ChildSpec } from "../runtime/child-spec.ts"
import type { Clock } from "../runtime/clock.ts"
import type { Emitter } from "../telemetry/bus.ts"
import { type ScrubbedText, scrub } from "../telemetry/scrub.ts"
import { type LoadedRuleSet, loadRuleSet, type RuleFolders } from "./load.ts"
import { revisionOf } from "./revision.ts"
import { explainRuleError, type RuleError } from "./rule-error.ts"
import { folderSignature, isRuleFile, isTemplateFile } from "./rule-files.ts"
import type { RuleSet } from "./rule-set.ts"

export interface CurrentRules {
  /** The set that runs now: take it once per piece of work. */
  get(): RuleSet
  /** Why the folders' present content does not run; empty when it does. */
  refused(): readonly RuleError[]
  /** The actor `rules` that watches the folders. Without it the set just stays. */
  readonly spec: ChildSpec
  /** How it stands with the repository that is followed; left out where none is. */
  readonly followed?: () => Followed
}

export interface Followed {
  readonly branch: string
  /** When it was asked last, and answered: milliseconds since the Unix epoch; null: not since the start. */
  readonly askedAt: number | null
  /** Why it cannot be asked now; null: it can. */
  readonly away: ScrubbedText | null
}

interface Voice {
  readonly clock: Clock
  readonly telemetry: Emitter
}

export interface RulesOptions extends RuleFolders, Voice {
  /** How often to look at folders whose file system tells nobody about changes. Default 5,000. */
  readonly pollMs?: number
}

/** Editors and git write in several steps; a change is live well under a second all the same. */
const SETTLE_MS = 120
/** A pull writes its files before it moves the branch: what looks dirty just then may be a commit. */
const SETTLE_COMMIT_MS = 500
/** A commit changes the revision and no file; asking git costs processes, so it is asked every so many polls. */
const POLLS_PER_REVISION = 12
const REPORTED_ERRORS = 5

/** Loads the folders for the first time; errors mean that there is nothing to run with. */
export async function currentRules(
  options: RulesOptions,
): Promise<{ readonly ok: CurrentRules } | { readonly errors: readonly RuleError[] }> {
  const began = options.clock.now()
  const loaded = await loadRuleSet(options, options.clock.wall().getTime())
  if ("errors" in loaded) return loaded
  const held: Held = { ruleSet: loaded.ok, refused: [] }
  reportLoaded(options, loaded.ok, began)
  const spec = actor<Message>({
    id: "rules",
    start: (ctx) => watcher(ctx, options, held),
    // A change that is dropped here follows one that is still to be handled, which will see both.
    mailbox: { bound: 16, overflow: "drop_newest" },
    // A folder that cannot be read must not stop deliveries: the last good set goes on while this tries again.
    backoff: {},
  })
  return { ok: { get: () => held.ruleSet, refused: () => held.refused, spec } }
}

/** Outlives the actor's restarts: a watcher that crashes must not lose the rules. */
export interface Held {
  ruleSet: RuleSet
  refused: readonly RuleError[]
}

type Message = "changed" | "load" | "again" | "poll"

async function watcher(ctx: ActorContext<Message>, options: RulesOptions, held: Held): Promise<Behaviour<Message>> {
  const pollMs = options.pollMs ?? 5_000
  const folders = [options.rulesDir, options.templatesDir]
  const watched = new Map<string, FSWatcher>()
  const signature = async (): Promise<string> =>
    [
      await folderSignature(options.rulesDir, isRuleFile),
      await folderSignature(options.templatesDir, isTemplateFile),
    ].join("\n\n")
  // Whatever changed between the first load and this moment is found by loading again.
  let seen = ""
  let scheduled = false
  let polls = 0

  const watchAll = (): void => {
    for (const dir of folders.filter((folder) => !watched.has(folder))) {
      try {
        const watching = watch(dir, { recursive: true }, () => ctx.self.send("changed"))
        watching.on("error", () => {
          watching.close()
          watched.delete(dir)
        })
        watched.set(dir, watching)
      } catch {
        // No such folder just now, or no way to watch it: the poll looks, and tries again.
      }
    }
  }

  const schedule = (): void => {
    if (scheduled) return
    scheduled = true
    ctx.sendAfter(SETTLE_MS, "load")
  }

  const poll = async (): Promise<void> => {
    watchAll()
    polls += 1
    const { revision, hash } = held.ruleSet
    const stale =
      (polls % POLLS_PER_REVISION === 0 || isDirty(revision)) &&
      held.refused.length === 0 &&
      (await revisionOf(options.rulesDir, options.templatesDir, hash)) !== revision
    if (stale || (await signature()) !== seen) schedule()
    ctx.sendAfter(pollMs, "poll")
  }

  const load = async (): Promise<void> => {
    scheduled = false
    seen = await signature()
    await reload(options, held)
    if (isDirty(held.ruleSet.revision)) ctx.sendAfter(SETTLE_COMMIT_MS, "again")
  }

  watchAll()
  schedule()
  ctx.sendAfter(pollMs, "poll")
  return {
    handle(message) {
      switch (message) {
        case "changed":
          return schedule()
        case "load":
          return load()
        case "again":
          return reload(options, held)
        case "poll":
          return poll()
      }
    },
    terminate() {
      for (const watching of watched.values()) watching.close()
    },
  }
}

async function reload(options: RulesOptions, held: Held): Promise<void> {
  const began = options.clock.now()
  swap(await loadRuleSet(options, options.clock.wall().getTime()), held, options, began)
}

/** What is not committed yet may be at any moment. */
const isDirty = (revision: string): boolean => revision.includes("+dirty")

/** Takes what was loaded in the place of what runs, or says why not. `began` is the clock's. */
export function swap(loaded: LoadedRuleSet, held: Held, { telemetry, clock }: Voice, began: number): void {
  if ("errors" in loaded) {
    const lines = loaded.errors.map(explainRuleError)
    const known = held.refused.map(explainRuleError)
    held.refused = loaded.errors
    if (lines.join("\n") === known.join("\n")) return
    const errors = lines.slice(0, REPORTED_ERRORS).map(scrub)
    telemetry.emit({ kind: "rules_refused", count: lines.length, errors })
    return
  }
  const recovered = held.refused.length > 0
  held.refused = []
  const same = loaded.ok.hash === held.ruleSet.hash && loaded.ok.revision === held.ruleSet.revision
  if (!same) held.ruleSet = loaded.ok
  if (!same || recovered) reportLoaded({ telemetry, clock }, loaded.ok, began)
}

export function reportLoaded({ telemetry, clock }: Voice, ruleSet: RuleSet, began: number): void {
  telemetry.emit({
    kind: "rules_loaded",
    revision: ruleSet.revision,
    rules: ruleSet.rules.length,
    templates: ruleSet.templates.names.length,
    ms: Math.round(clock.now() - began),
  })
}
