/** The rules as they stand in a commit: read from git into memory, nothing is checked out. */
import { realpath } from "node:fs/promises"
import { relative, sep } from "node:path"
import { nearest } from "../domain/nearest.ts"
import { type GitAnswer, git } from "./git.ts"
import { type LoadedRuleSet, type RuleFolders, ruleSetFrom } from "./load.ts"
import { explainRuleError } from "./rule-error.ts"
import { isRuleFile, isSeen, isTemplateFile, MAX_FILE_BYTES, MAX_FILES } from "./rule-files.ts"
import type { RuleSet } from "./rule-set.ts"

const DEADLINE_MS = 10_000
const SHOWN_ERRORS = 10

/** `problems`: lines for whoever asked. */
export type AtRevision = { readonly ok: RuleSet } | { readonly problems: readonly string[] }

/**
 * The set of a revision (a branch, a tag, a commit, `HEAD~3`), from the same folders of the repository that hold the
 * rules now. A folder that the revision does not have is empty there.
 */
export async function rulesAtRevision(folders: RuleFolders, revision: string): Promise<AtRevision> {
  const { rulesDir, templatesDir } = folders
  const place = await placeOf(rulesDir)
  if ("problem" in place) return { problems: [place.problem] }
  const beside = await placeOf(templatesDir)
  if ("problem" in beside) return { problems: [beside.problem] }
  if (beside.root !== place.root) return { problems: [`${templatesDir} is not in the repository of ${rulesDir}`] }
  const commit = await commitOf(place.root, revision)
  if ("problem" in commit) return { problems: [commit.problem] }
  const loaded = await rulesOfCommit(place.root, commit.ok, {
    paths: { rules: place.path, templates: beside.path },
    wallMillis: 0,
  })
  if ("ok" in loaded) return loaded
  if ("problem" in loaded) return { problems: [`${revision}: ${loaded.problem}`] }
  const { errors } = loaded
  const more = errors.length > SHOWN_ERRORS ? [`and ${errors.length - SHOWN_ERRORS} more`] : []
  return {
    problems: [
      `the rules of ${revision} do not load:`,
      ...errors.slice(0, SHOWN_ERRORS).map(explainRuleError),
      ...more,
    ],
  }
}

export interface CommitOptions {
  /** Where the folders lie in the repository; empty: its root. */
  readonly paths: Readonly<Record<"rules" | "templates", string>>
  readonly wallMillis: number
  readonly webhookSecrets?: readonly string[] | undefined
}

/** The set of a commit. `problem`: git could not be asked, or what it holds cannot be read. */
export async function rulesOfCommit(
  root: string,
  commit: string,
  { paths, wallMillis, webhookSecrets }: CommitOptions,
): Promise<LoadedRuleSet | { readonly problem: string }> {
  const listed = await listFiles(root, commit, paths)
  if ("problem" in listed) return listed
  const texts = await readBlobs(root, listed.files)
  if ("problem" in texts) return texts
  return ruleSetFrom(texts.ok, { revision: commit, wallMillis, webhookSecrets })
}

const run = (root: string, args: readonly string[], input?: string): Promise<GitAnswer> =>
  git(root, args, { deadlineMs: DEADLINE_MS, ...(input === undefined ? {} : { input }) })

type Place = { readonly root: string; readonly path: string } | { readonly problem: string }

/** The repository that a folder is in, and the folder's path within it: empty for its root. */
async function placeOf(dir: string): Promise<Place> {
  const answer = await run(dir, ["rev-parse", "--show-toplevel"])
  if ("out" in answer) {
    const root = await realpath(answer.out.toString("utf8").trim())
    return {
      root,
      path: relative(root, await realpath(dir))
        .split(sep)
        .join("/"),
    }
  }
  if (answer.problem === "missing") return { problem: "git cannot be run: is it installed?" }
  return { problem: `${dir} is in no git repository that can be read: ${answer.said}` }
}

async function commitOf(
  root: string,
  revision: string,
): Promise<{ readonly ok: string } | { readonly problem: string }> {
  const answer = await run(root, ["rev-parse", "--verify", "--quiet", "--end-of-options", `${revision}^{commit}`])
  if ("out" in answer) return { ok: answer.out.toString("utf8").trim() }
  if (answer.problem !== "failed") return { problem: `git says: ${answer.said}` }
  const known = await run(root, ["for-each-ref", "--format=%(refname:short)"])
  const names = "out" in known ? known.out.toString("utf8").split("\n").filter(Boolean) : []
  // A clone of CI has its branches under the remote's name alone.
  const right = names.find((name) => name.endsWith(`/${revision}`)) ?? nearest(revision, [...names, "HEAD"])
  const shallow = await run(root, ["rev-parse", "--is-shallow-repository"])
  const isShallow = "out" in shallow && shallow.out.toString("utf8").trim() === "true"
  const hint = right === null ? "" : `; did you mean "${right}"?`
  const history = isShallow ? "; this clone has only a part of the history (fetch-depth: 0 has all)" : ""
  return { problem: `no revision ${JSON.stringify(revision)} in this repository${hint}${history}` }
}

interface Blob {
  /** `rules/a.yaml`, wherever the folder lies. */
  readonly path: string
  readonly id: string
}

async function listFiles(
  root: string,
  commit: string,
  folders: Readonly<Record<"rules" | "templates", string>>,
): Promise<{ readonly files: readonly Blob[] } | { readonly problem: string }> {
  const files: Blob[] = []
  for (const folder of ["rules", "templates"] as const) {
    const place = folders[folder]
    const at = place === "" ? commit : `${commit}:${place}`
    const answer = await run(root, ["ls-tree", "-r", "-z", "--long", "--end-of-options", at])
    // The folder came later than the revision.
    if (!("out" in answer) && answer.problem === "failed") continue
    if (!("out" in answer)) return { problem: answer.said }
    for (const entry of answer.out.toString("utf8").split("\0").filter(Boolean)) {
      const [, kind, id, size, path] = /^\d+ (\w+) ([0-9a-f]+) +(\d+|-)\t([\s\S]*)$/.exec(entry) ?? []
      if (kind !== "blob" || id === undefined || path === undefined || !isSeen(path.split("/"))) continue
      if (folder === "rules" && path.endsWith(".yml")) return { problem: `rules/${path} ends in .yml, expected .yaml` }
      if (!(folder === "rules" ? isRuleFile : isTemplateFile)(path)) continue
      if (Number(size) > MAX_FILE_BYTES) return { problem: `${folder}/${path} is larger than ${MAX_FILE_BYTES} bytes` }
      files.push({ path: `${folder}/${path}`, id })
    }
  }
  return files.length > 2 * MAX_FILES ? { problem: `${files.length} files` } : { files }
}

/** All of them by one process: its answer is a header line, the bytes and a line break for each. */
async function readBlobs(
  root: string,
  files: readonly Blob[],
): Promise<{ readonly ok: Readonly<Record<string, string>> } | { readonly problem: string }> {
  if (files.length === 0) return { ok: {} }
  const answer = await run(root, ["cat-file", "--batch"], files.map(({ id }) => `${id}\n`).join(""))
  if (!("out" in answer)) return { problem: answer.said }
  const texts: [string, string][] = []
  let place = 0
  for (const { path } of files) {
    const lineEnd = answer.out.indexOf(10, place)
    const size = Number(answer.out.toString("utf8", place, lineEnd).split(" ")[2])
    const begin = lineEnd + 1
    try {
      texts.push([path, new TextDecoder("utf-8", { fatal: true }).decode(answer.out.subarray(begin, begin + size))])
    } catch {
      // The one thing that decoding can say.
      return { problem: `${path} is not UTF-8` }
    }
    place = begin + size + 1
  }
  // By path, as the folder is read.
  return { ok: Object.fromEntries(texts.sort(([a], [b]) => (a < b ? -1 : 1))) }
}
