/**
 * Two rules that are easy to follow: half of the events are told at once, half a second later, each by one Telegram
 * message that names its account. The person is there before any hub is.
 */
import { upsertRecipients } from "../src/store/recipients.ts"
import { business, recipient } from "../src/testing/builders.ts"
import { eventually } from "../src/testing/eventually.ts"
import { marginCall } from "../src/testing/margin-call.ts"
import { type OpenLoop, startOpenLoop } from "../src/testing/open-loop.ts"
import { ruleFolders } from "../src/testing/rule-fixtures.ts"
import type { World } from "./world.ts"

const TOLD_MS = 60_000

/** After its event. */
export const DELAY_MS = 1_000

const action = (more: string): string =>
  `{ type: notify, to: { users: [{ var: payload.trader_id }] }, channels: [telegram], template: call${more} }`
const FILES = {
  "rules/calls.yaml": `rules:
  - { name: now, event_type: MARGIN_CALL, actions: [${action("")}] }
  - { name: later, event_type: LATE_CALL, actions: [${action(`, delay: ${DELAY_MS / 1_000}s`)}] }
`,
  "templates/call/default.eta": "---\ntitle: Margin call\n---\nAccount <%= it.payload.account_id %>",
}

export interface Calls {
  /** Of a hub that runs these rules. */
  readonly settings: Readonly<Record<string, string>>
  load(perSecond: number, url: () => string): OpenLoop
  /** Ends the load, and waits until everybody is told who is to be told later. */
  told(load: OpenLoop): Promise<void>
}

export async function calls(world: World): Promise<Calls> {
  const { rulesDir, templatesDir, remove } = await ruleFolders(FILES)
  world.defer(remove)
  const member = { business: business("desk"), locations: null, roles: [] }
  await upsertRecipients(world.db, [recipient("trader-7", { telegramChatId: "991", memberships: [member] })], null)
  return {
    settings: { HUB_RULES_DIR: rulesDir, HUB_TEMPLATES_DIR: templatesDir },
    load: (perSecond, url) =>
      startOpenLoop({
        perSecond,
        url,
        event: (n) => ({
          key: `acc-${n}.`,
          body: { ...marginCall(n), type: n % 2 === 0 ? "LATE_CALL" : "MARGIN_CALL" },
        }),
      }),
    async told(load) {
      await load.finish()
      await eventually(
        () => world.db.query("select from routing_queue union all select from timers where done_at is null limit 1"),
        (open) => open.length === 0,
        { withinMs: TOLD_MS, what: "what is to be told later" },
      )
    },
  }
}
