/** Every rule set that ever decided something, kept by content hash, so that a decision can be computed again. */
import type { Database } from "./database.ts"
import { openAs, seal } from "./sealed.ts"

export interface StoredRuleSet {
  readonly hash: string
  readonly revision: string
  /** Texts by path: `rules/…` and `templates/…`. */
  readonly files: Readonly<Record<string, string>>
}

/** Keeps the set, and that it is in use now: retention goes by it. */
export async function saveRuleSet(db: Database, { hash, revision, files }: StoredRuleSet): Promise<void> {
  await db.execute(
    `insert into rule_sets (hash, revision, files) values ($1, $2, $3)
     on conflict (hash) do update set used_at = now()`,
    [hash, revision, seal(files)],
  )
}

/** The set that was kept under a hash, or null. */
export async function getRuleSet(db: Database, hash: string): Promise<StoredRuleSet | null> {
  const [row] = await db.query<{ hash: string; revision: string; files: Buffer }>(
    "select hash, revision, files from rule_sets where hash = $1",
    [hash],
  )
  return row === undefined ? null : { ...row, files: openAs<StoredRuleSet["files"]>(row.files) }
}
