/**
 * Development makes up what nobody set, once, and keeps it in `HUB_DATA_DIR/secrets.json` (0600): keys that changed at
 * every start would log everybody out and make the stored data unreadable.
 */
import { createECDH, randomBytes } from "node:crypto"
import { chmodSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"

/** Setting → its text, as `.env` would hold it. */
export type FreshSecrets = Readonly<Record<FreshName, string>>
export type FreshName = (typeof freshNames)[number]

export const freshNames = [
  "HUB_API_KEYS",
  "JWT_SECRET",
  "HUB_ENCRYPTION_KEYS",
  "VAPID_PUBLIC_KEY",
  "VAPID_PRIVATE_KEY",
] as const

/** A service key and an admin key, a JWT secret, an encryption key and a VAPID pair, all new. */
export function freshSecrets(): FreshSecrets {
  const pair = createECDH("prime256v1")
  pair.generateKeys()
  return {
    HUB_API_KEYS: `hub_${token()}:service,hub_${token()}:admin`,
    JWT_SECRET: randomBytes(48).toString("base64url"),
    HUB_ENCRYPTION_KEYS: `k1:${randomBytes(32).toString("base64")}`,
    VAPID_PUBLIC_KEY: pair.getPublicKey("base64url"),
    // An elliptic-curve key may start with zero bytes, which node leaves out.
    VAPID_PRIVATE_KEY: Buffer.concat([Buffer.alloc(32), pair.getPrivateKey()])
      .subarray(-32)
      .toString("base64url"),
  }
}

const token = (): string => randomBytes(24).toString("base64url")

export type KeptSecrets = { readonly secrets: FreshSecrets } | { readonly unusable: string }

/** Reads the kept secrets, making and storing the ones that are missing. Two processes that start at once agree. */
export function keptSecrets(dataDir: string): KeptSecrets {
  const path = join(dataDir, "secrets.json")
  try {
    mkdirSync(dataDir, { recursive: true })
    const before = read(path)
    if (before !== null && freshNames.every((name) => name in before))
      return { secrets: { ...freshSecrets(), ...before } }
    const secrets = { ...freshSecrets(), ...before }
    if (write(path, secrets, before === null ? "create" : "replace")) return { secrets }
    return { secrets: { ...secrets, ...read(path) } }
  } catch (error) {
    const reason = error instanceof Error ? error.message.replaceAll(path, "secrets.json") : "unreadable"
    return { unusable: reason }
  }
}

function read(path: string): Partial<FreshSecrets> | null {
  let content: string
  try {
    content = readFileSync(path, "utf8")
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return null
    throw error
  }
  // A copy restored by hand may have come back readable to all.
  chmodSync(path, 0o600)
  return namedTexts(content)
}

function namedTexts(content: string): Partial<FreshSecrets> {
  let parsed: unknown = null
  try {
    parsed = JSON.parse(content)
  } catch {
    // Told below: the parser's own message would quote the file, which is secret.
  }
  if (typeof parsed !== "object" || parsed === null)
    throw new Error("secrets.json is not JSON any more: restore it, or delete it to get new secrets")
  const entries = new Map<string, unknown>(Object.entries(parsed))
  const found: Partial<Record<FreshName, string>> = {}
  for (const name of freshNames) {
    const value = entries.get(name)
    if (typeof value === "string" && value !== "") found[name] = value
  }
  // Half a pair is worth nothing.
  if (found.VAPID_PUBLIC_KEY === undefined || found.VAPID_PRIVATE_KEY === undefined) {
    delete found.VAPID_PUBLIC_KEY
    delete found.VAPID_PRIVATE_KEY
  }
  return found
}

/** Returns false when another process created the file first: its secrets hold. */
function write(path: string, secrets: FreshSecrets, how: "create" | "replace"): boolean {
  const draft = `${path}.${process.pid}.${randomBytes(4).toString("hex")}`
  writeFileSync(draft, `${JSON.stringify(secrets, null, 2)}\n`, { mode: 0o600, flag: "wx", flush: true })
  try {
    if (how === "replace") renameSync(draft, path)
    else linkSync(draft, path)
    return true
  } catch (error) {
    if (how === "create" && error instanceof Error && "code" in error) {
      if (error.code === "EEXIST") return false
      // A file system without hard links: the whole file still appears at once.
      renameSync(draft, path)
      return true
    }
    throw error
  } finally {
    rmSync(draft, { force: true })
  }
}
