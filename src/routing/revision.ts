/**
 * Which state of the rules decided something, in a word that can be looked up: the git commit. Where the folders hold
 * anything that the commit does not, the content's hash says what ran instead.
 */
import { execFile } from "node:child_process"
import { promisify } from "node:util"

const GIT_DEADLINE_MS = 3_000
const SHORT_HASH = 12

const run = promisify(execFile)

/** The commit of a folder and whether the folder differs from it; null: no repository, no git, or no answer in time. */
async function stateOf(dir: string): Promise<{ readonly commit: string; readonly clean: boolean } | null> {
  // Ignored files count: they run, and no commit has them.
  const args = [
    "--no-optional-locks",
    "-C",
    dir,
    "status",
    "--porcelain=v2",
    "--branch",
    "--ignored",
    "--untracked-files=all",
    "--",
    ".",
  ]
  try {
    const { stdout } = await run("git", args, { timeout: GIT_DEADLINE_MS, maxBuffer: 4_194_304 })
    const lines = stdout.split("\n")
    const commit = /^# branch\.oid ([0-9a-f]{40,64})$/m.exec(stdout)?.[1]
    return commit === undefined ? null : { commit, clean: !lines.some(matters) }
  } catch {
    // git says no in many ways (no repository, none installed, another owner, too slow): the hash serves for all of them.
    return null
  }
}

/** A line of `git status` about a file that is loaded, or about a whole folder. */
const matters = (line: string): boolean =>
  !line.startsWith("# ") && /(?:\.eta|\.yaml|\/)"?$/.test(line) && !/\.test\.yaml"?$/.test(line)

/** `<commit>`, `<commit>+dirty.<hash>` or `<hash>`. The hash is the content's, shortened. */
export async function revisionOf(rulesDir: string, templatesDir: string, hash: string): Promise<string> {
  const [rules, templates] = await Promise.all([stateOf(rulesDir), stateOf(templatesDir)])
  const short = hash.slice(0, SHORT_HASH)
  if (rules === null) return short
  const clean = rules.clean && templates?.clean && templates.commit === rules.commit
  return clean ? rules.commit : `${rules.commit}+dirty.${short}`
}
