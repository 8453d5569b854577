// A message is written down as delivered, and then it is sent.
import { patch } from "./patch.ts"

patch("delivery/attempt.ts", [
  [
    "  const { outcome, bug, ms } = isTooLate(held, options)\n",
    `  const before = { kind: "delivered", providerMessageId: null, status: "delivered" } as const
  await settler.settle({ id, attempt: number, outcome: before, settlement: before, account }, giveUp)
  const { outcome, bug, ms } = isTooLate(held, options)\n`,
  ],
])
