// Git repositories for tests: real ones, in folders of their own, with an author and times that are the same every time.
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"

export interface GitRepository {
  readonly dir: string
  /** Runs git in it and gives its output; throws with git's words where it says no. */
  git(...args: readonly string[]): Promise<string>
  write(files: Readonly<Record<string, string>>): Promise<void>
  /** Writes the files, commits all there is, and gives the commit. */
  commit(message: string, files?: Readonly<Record<string, string>>): Promise<string>
  remove(): Promise<void>
}

const ENV = {
  PATH: process.env["PATH"] ?? "",
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_CONFIG_SYSTEM: "/dev/null",
  GIT_AUTHOR_NAME: "Test",
  GIT_AUTHOR_EMAIL: "test@example.com",
  GIT_COMMITTER_NAME: "Test",
  GIT_COMMITTER_EMAIL: "test@example.com",
  GIT_AUTHOR_DATE: "2026-03-02T09:00:00Z",
  GIT_COMMITTER_DATE: "2026-03-02T09:00:00Z",
}

/** Runs git in any folder; throws with its words where it says no. */
export async function gitIn(dir: string, ...args: readonly string[]): Promise<string> {
  const child = Bun.spawn(["git", "-C", dir, ...args], { env: ENV, stdout: "pipe", stderr: "pipe", stdin: "ignore" })
  const [code, out, err] = await Promise.all([
    child.exited,
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ])
  if (code !== 0) throw new Error(`git ${args.join(" ")}: ${err}`)
  return out.trim()
}

/** An empty repository on the branch `main`. Call `remove` in the end. */
export async function gitRepository(): Promise<GitRepository> {
  const dir = await mkdtemp(join(tmpdir(), "hub-git-"))
  const git = (...args: readonly string[]): Promise<string> => gitIn(dir, ...args)
  await git("init", "--quiet", "--initial-branch=main")
  const write = async (files: Readonly<Record<string, string>>): Promise<void> => {
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(dir, path)), { recursive: true })
      await writeFile(join(dir, path), text)
    }
  }
  return {
    dir,
    git,
    write,
    async commit(message, files = {}) {
      await write(files)
      await git("add", "--all")
      await git("commit", "--quiet", "--allow-empty", "--message", message)
      return git("rev-parse", "HEAD")
    },
    remove: () => rm(dir, { recursive: true, force: true }),
  }
}
