// What the server needs to know, from the environment; everything that is wrong is said at once.

export interface Settings {
  /** 0: any free port. */
  readonly port: number
  readonly databaseUrl: string
  /** The HS256 secret that the hub has too: one login works for both. */
  readonly jwtSecret: string
  readonly hubUrl: string
  /** A key of scope `service`. */
  readonly hubKey: string
  /** Which part of the data this server holds; the hub's clients find it in each message. */
  readonly shard: string
}

export function readSettings(env: Readonly<Record<string, string | undefined>>): Settings {
  const missing = ["DATABASE_URL", "JWT_SECRET", "HUB_API_KEY"].filter((name) => !env[name])
  const port = Number(env["PORT"] ?? 3000)
  const problems = missing.map((name) => `${name} is not set`)
  if (!Number.isInteger(port) || port < 0 || port > 65_535) problems.push("PORT is no port")
  const hubUrl = env["HUB_URL"] ?? "http://localhost:4000"
  if (!URL.canParse(hubUrl)) problems.push("HUB_URL is no URL")
  if (problems.length > 0) throw new Error(`${problems.join("; ")} (see README.md)`)
  return {
    port,
    databaseUrl: env["DATABASE_URL"] ?? "",
    jwtSecret: env["JWT_SECRET"] ?? "",
    hubUrl,
    hubKey: env["HUB_API_KEY"] ?? "",
    shard: env["SHARD_ID"] ?? "shard-001",
  }
}
