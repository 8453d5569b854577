/** Whose problem it is that the embedded PostgreSQL cannot run. */
export type EmbeddedProblem =
  | "unavailable" // no PostgreSQL that runs on this machine
  | "not_writable" // a folder that must be written cannot be
  | "port_taken" // the asked-for port belongs to someone else
  | "other_version" // the folder holds another major version's data
  | "in_use" // another hub works on this data directory
  | "failed" // PostgreSQL itself refused, in its own words

/** Why the embedded PostgreSQL cannot run, in one line that an operator can act on. */
export class EmbeddedPostgresError extends Error {
  override readonly name = "EmbeddedPostgresError"
  readonly problem: EmbeddedProblem

  constructor(problem: EmbeddedProblem, line: string) {
    super(line.replaceAll(/\s*\n\s*/g, " "))
    this.problem = problem
  }
}

/** The `code` of a Node system error (`EACCES`, `ENOENT`, …), or the empty string. */
export function errorCode(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : ""
}

/** Turns "this folder cannot be written" into its one line; any other error is passed on as it is. */
export function notWritable(folder: string, error: unknown): unknown {
  const code = errorCode(error)
  return ["EACCES", "EPERM", "EROFS", "ENOTDIR", "ENOSPC", "EEXIST"].includes(code)
    ? new EmbeddedPostgresError(
        "not_writable",
        `cannot write ${folder} (${code}): make it writable or set HUB_DATA_DIR`,
      )
    : error
}
