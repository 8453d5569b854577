/**
 * How long `hub rules check` takes for 1,000 rules, as a process of its own, and what part of that is only the reading
 * of their YAML by the same library: a floor that no check gets under.
 */
import { rmSync } from "node:fs"
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { parseDocument } from "yaml"
import { machineLine, median, num, printRows, type Row, temporaryFolder } from "./harness.ts"

const RULES = 1_000
const A_FILE = 50
const OF_A_TYPE = 5
const ROUNDS = 5
const AIM_MS = 1_000

/** Every rule has two conditions and says something of the shipped templates on three channels. */
const ruleText = (i: number, templates: readonly string[]): string => `
  - name: rule-${i}
    event_type: type.${Math.floor(i / OF_A_TYPE)}.happened
    conditions:
      - { field: amount, operator: gte, value: ${(i % OF_A_TYPE) * 1_000} }
      - { field: currency, operator: in, value: [IQD, USD] }
    actions:
      - type: notify
        to: { roles: [accountant] }
        channels: [inapp, email, sms]
        template: ${templates[i % templates.length]}
        cooldown: { key: payload.number, window: 30m }`

/** Runs the bench and returns the rows for the common table. */
export async function check(): Promise<readonly Row[]> {
  const folder = temporaryFolder()
  try {
    const templates = join(import.meta.dirname, "../templates")
    const names = (await readdir(templates)).filter((name) => !name.startsWith("_"))
    const rules = join(folder, "rules")
    await mkdir(rules)
    for (let first = 0; first < RULES; first += A_FILE) {
      const texts = Array.from({ length: A_FILE }, (_, i) => ruleText(first + i, names))
      await writeFile(join(rules, `${first}.yaml`), `rules:${texts.join("")}\n`)
    }
    const rounds: { whole: number; yaml: number }[] = []
    for (let round = 0; round < ROUNDS; round++)
      rounds.push({ whole: await checked(rules, templates), yaml: await parsed(rules) })
    const whole = median(rounds.map((round) => round.whole))
    const yaml = median(rounds.map((round) => round.yaml))
    return [
      {
        bench: "check",
        what: `hub rules check: ${num(RULES)} rules in ${RULES / A_FILE} files, ${names.length} templates`,
        figure: `${num(whole)} ms (their YAML alone: ${num(yaml)} ms)`,
        aim: `< ${num(AIM_MS)} ms`,
        met: whole < AIM_MS,
      },
    ]
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function checked(rules: string, templates: string): Promise<number> {
  const command = [process.execPath, "--no-env-file", join(import.meta.dirname, "../src/main.ts"), "rules", "check"]
  const began = performance.now()
  const child = Bun.spawn([...command, "--rules", rules, "--templates", templates], {
    env: { PATH: process.env["PATH"] ?? "" },
    stdout: "pipe",
    stderr: "pipe",
  })
  const [code, out, err] = await Promise.all([
    child.exited,
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ])
  if (code !== 0 || !out.includes(`${RULES} rules`)) throw new Error(`the check ended with ${code}: ${out}${err}`)
  return performance.now() - began
}

async function parsed(rules: string): Promise<number> {
  const texts = await Promise.all((await readdir(rules)).map((file) => readFile(join(rules, file), "utf8")))
  const began = performance.now()
  for (const text of texts) if (parseDocument(text).errors.length > 0) throw new Error("not YAML")
  return performance.now() - began
}

if (import.meta.main) {
  console.log(await machineLine())
  printRows(await check())
}
