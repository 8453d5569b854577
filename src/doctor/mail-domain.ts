/** The DNS of the domain that mail comes from: what receivers look for before they believe it. */
import { Resolver } from "node:dns/promises"
import type { Config } from "../config.ts"
import { type Check, type Finding, fail, ok, warn } from "./check.ts"

const DNS_TIMEOUT_MS = 2_500
const TRIES = 2
/** As Resend has it: its own return path and key stand below the domain. */
const RESEND_RETURN_PATH = "send"
const RESEND_KEY = "resend._domainkey"

/** `Hub <hub@example.com>` → `example.com`. */
export const mailDomain = (from: string | null): string | null =>
  /@([^\s<>@]+)>?$/.exec(from ?? "")?.[1]?.toLowerCase() ?? null

/** Not there; no such record; or nobody answered, in words. */
type Answer<T> = { readonly records: readonly T[] } | { readonly silent: string }

/** `servers`: `127.0.0.1:5353`, where it is not the machine's own that are to be asked. */
export const mailDomainCheck = ({ email }: Config, servers: readonly string[] | null): Check => ({
  name: "mail domain",
  async run(signal) {
    const domain = mailDomain(email.from)
    if (domain === null) return { findings: [ok("mail domain", "no EMAIL_FROM: no mail has a sender")] }
    const resolver = new Resolver({ timeout: DNS_TIMEOUT_MS, tries: TRIES })
    if (servers !== null) resolver.setServers(servers)
    signal.addEventListener("abort", () => resolver.cancel(), { once: true })
    const txt = async (name: string): Promise<Answer<string>> => {
      const answer = await asked(() => resolver.resolveTxt(name))
      return "silent" in answer ? answer : { records: answer.records.map((parts) => parts.join("")) }
    }
    const [own, sending, policy, organisation, key, mx] = await Promise.all([
      txt(domain),
      txt(`${RESEND_RETURN_PATH}.${domain}`),
      txt(`_dmarc.${domain}`),
      txt(`_dmarc.${domain.split(".").slice(-2).join(".")}`),
      txt(`${RESEND_KEY}.${domain}`),
      asked(() => resolver.resolveMx(domain)),
    ])
    const all = [own, sending, policy, organisation, key, mx]
    const silent = all.find((answer) => "silent" in answer)
    if (silent !== undefined && "silent" in silent && all.every((answer) => "silent" in answer)) {
      const todo = "see whether this machine can resolve names"
      return { findings: [fail("mail domain", `nobody answers for ${domain}: ${silent.silent}`, todo)] }
    }
    const has = (answer: Answer<string>, word: string): boolean =>
      "records" in answer && answer.records.some((record) => record.toLowerCase().startsWith(word))
    const spf = has(own, "v=spf1") ? domain : has(sending, "v=spf1") ? `${RESEND_RETURN_PATH}.${domain}` : null
    const dmarc = [policy, organisation].flatMap((answer) => ("records" in answer ? answer.records : []))
    const findings: Finding[] = [
      spf === null
        ? warn(
            "mail SPF",
            `${domain} says nobody may send for it`,
            "publish the v=spf1 record that your mail provider names",
          )
        : ok("mail SPF", `at ${spf}`),
      dmarcFinding(
        domain,
        dmarc.find((record) => /^v=dmarc1/i.test(record)),
      ),
      has(key, "p=") || has(key, "v=dkim1")
        ? ok("mail DKIM", `a key at ${RESEND_KEY}.${domain}`)
        : ok(
            "mail DKIM",
            `no key at ${RESEND_KEY}.${domain}; another provider's has another name, which only it knows`,
          ),
      "records" in mx && mx.records.some(({ exchange }) => exchange !== "" && exchange !== ".")
        ? ok("mail MX", `${domain} takes mail`)
        : warn("mail MX", `${domain} takes no mail: replies and bounces are lost`, "publish an MX record"),
    ]
    return { findings }
  },
})

function dmarcFinding(domain: string, record: string | undefined): Finding {
  if (record === undefined) {
    const todo = 'publish "v=DMARC1; p=none; rua=mailto:…" at _dmarc to begin with: large receivers ask for it'
    return warn("mail DMARC", `${domain} has no policy`, todo)
  }
  return ok("mail DMARC", `policy ${/\bp=(\w+)/i.exec(record)?.[1] ?? "without p"}`)
}

/** Records; none where the name or the record is not there. */
async function asked<T>(look: () => Promise<readonly T[]>): Promise<Answer<T>> {
  try {
    return { records: await look() }
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "no code"
    return code === "ENOTFOUND" || code === "ENODATA" ? { records: [] } : { silent: code }
  }
}
