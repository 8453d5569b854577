/**
 * The states of a delivery: sequences of everything that can happen to one, compared with a model, and every order of it by
 * two nodes. Every run does 2,000 sequences, 10,000 schedules and 300 races already, as tests of their rooms; these are more.
 */
import { join } from "node:path"
import { fault } from "./fault.ts"

const ROOT = join(import.meta.dirname, "..")

export const deliveryModel = fault({
  number: 60,
  name: "state machine model",
  short: { sequences: 2_000 },
  full: { sequences: 20_000 },
  injected: ({ sequences }) => `${sequences} sequences of 14 commands on PostgreSQL, each step compared with a model`,
  async run({ sequences }) {
    const broken = await failures("./src/store/deliveries-model.test.ts", { MODEL_SEQUENCES: sequences })
    return [
      { what: "sequences", value: sequences },
      { what: "differences or illegal moves", value: broken, atMost: 0 },
    ]
  },
})

export const deliveryRaces = fault({
  number: 61,
  name: "race scheduler",
  short: { schedules: 10_000, races: 300 },
  full: { schedules: 100_000, races: 3_000 },
  injected: ({ schedules, races }) =>
    `${schedules} schedules of the attempt over the model, ${races} races of statements on connections of their own`,
  async run({ schedules, races }) {
    const broken = await failures("./src/delivery/races.test.ts", { RACE_SCHEDULES: schedules, RACES: races })
    return [
      { what: "schedules", value: schedules },
      { what: "races", value: races },
      { what: "broken promises", value: broken, atMost: 0 },
    ]
  },
})

/** How many tests of a file fail, which says why on standard error; one that does not run at all counts too. */
async function failures(file: string, sizes: Readonly<Record<string, number>>): Promise<number> {
  const child = Bun.spawn([process.execPath, "--no-env-file", "test", file], {
    cwd: ROOT,
    env: { ...process.env, ...Object.fromEntries(Object.entries(sizes).map(([name, size]) => [name, String(size)])) },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  })
  const said = await new Response(child.stderr).text()
  const code = await child.exited
  if (code !== 0) console.error(said.slice(-4_000))
  return Math.max(Number(/^ (\d+) fail$/m.exec(said)?.[1] ?? 0), code === 0 ? 0 : 1)
}
