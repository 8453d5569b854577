/** Reads a folder of rules or templates into memory, all of it or an error for what cannot be read. */
import { createHash } from "node:crypto"
import { readdir, readFile, stat } from "node:fs/promises"
import { join, sep } from "node:path"
import type { ErrorList } from "./rule-error.ts"

export const MAX_FILE_BYTES = 262_144
export const MAX_FILES = 2_000
const MAX_DEPTH = 8

/** Which files of a folder count. */
export type Counts = (path: string) => boolean

/** Rules are `.yaml`, their tests are not rules. */
export const isRuleFile: Counts = (path) => path.endsWith(".yaml") && !path.endsWith(".test.yaml")
export const isTemplateFile: Counts = (path) => path.endsWith(".eta")

/**
 * The files below `dir`, sorted by path (with `/`, no leading one), and their texts. `shownAs` is how the folder is
 * called in errors. A file named `.yml` is an error: it would be left out in silence.
 */
export async function readFolder(
  dir: string,
  shownAs: string,
  counts: Counts,
  errors: ErrorList,
): Promise<ReadonlyMap<string, string>> {
  const refuse = (path: string, problem: string, expected: string | null): void =>
    errors.add({
      file: path === "" ? shownAs : `${shownAs}/${path}`,
      line: 1,
      column: 1,
      problem,
      expected,
      suggestion: null,
    })
  const paths = await listFolder(dir)
  if (paths === null) {
    refuse("", `the folder ${dir} cannot be read`, "a folder")
    return new Map()
  }
  if (shownAs === "rules") {
    for (const path of paths.filter((name) => name.endsWith(".yml"))) {
      refuse(path, "a rule file that ends in .yml", ".yaml")
    }
  }
  const wanted = paths.filter(counts)
  if (wanted.length > MAX_FILES) refuse("", `${wanted.length} files`, `at most ${MAX_FILES}`)
  const files = new Map<string, string>()
  for (const path of wanted.slice(0, MAX_FILES)) {
    const text = await readText(join(dir, path))
    if (typeof text === "string") files.set(path, text)
    else refuse(path, text.problem, text.expected)
  }
  return files
}

/** Paths of all files below a folder, sorted; null where there is no such folder. Names that begin with a dot are left out. */
async function listFolder(dir: string): Promise<readonly string[] | null> {
  try {
    const entries = await readdir(dir, { recursive: true, withFileTypes: true })
    return entries
      .filter((entry) => !entry.isDirectory())
      .map((entry) => join(entry.parentPath, entry.name).slice(join(dir, sep).length).split(sep))
      .filter(isSeen)
      .map((parts) => parts.join("/"))
      .sort()
  } catch (error) {
    if (error instanceof Error && "code" in error) return null
    throw error
  }
}

/** Names that begin with a dot are left out, and what lies too deep. `parts`: of a path below the folder. */
export const isSeen = (parts: readonly string[]): boolean =>
  parts.length <= MAX_DEPTH && !parts.some((part) => part.startsWith("."))

async function readText(
  path: string,
): Promise<string | { readonly problem: string; readonly expected: string | null }> {
  try {
    const { size } = await stat(path)
    if (size > MAX_FILE_BYTES) return { problem: `a file of ${size} bytes`, expected: `at most ${MAX_FILE_BYTES}` }
    return new TextDecoder("utf-8", { fatal: true }).decode(await readFile(path))
  } catch (error) {
    if (error instanceof TypeError) return { problem: "a file that is not UTF-8", expected: "UTF-8" }
    if (error instanceof Error && "code" in error)
      return { problem: `a file that cannot be read (${error.code})`, expected: null }
    throw error
  }
}

/** SHA-256 over names and texts in order of the names. */
export function contentHash(files: Readonly<Record<string, string>>): string {
  const hash = createHash("sha256")
  for (const path of Object.keys(files).sort()) {
    const text = files[path] ?? ""
    hash.update(`${path}\n${Buffer.byteLength(text)}\n`).update(text)
  }
  return hash.digest("hex")
}

/** Changes when a file of the folder comes, goes or is written; for file systems that tell nobody. Cheap: no file is read. */
export async function folderSignature(dir: string, counts: Counts): Promise<string> {
  const paths = ((await listFolder(dir)) ?? []).filter(counts)
  const stats = await Promise.all(paths.map((path) => stat(join(dir, path)).catch(() => null)))
  return paths.map((path, i) => `${path} ${stats[i]?.mtimeMs} ${stats[i]?.size}`).join("\n")
}
