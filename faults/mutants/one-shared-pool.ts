// All channels send from one pool: who waits for one provider takes the others' places.
import { patch } from "./patch.ts"

patch(
  "delivery/in-flight.ts",
  [
    [
      "for (const held of this.byId.values()) if (!held.sent) sending += 1",
      "for (const held of POOL) if (!held.sent) sending += 1",
    ],
    ["  add(held: Held): void {\n", "  add(held: Held): void {\n    POOL.add(held)\n"],
    ["  remove(held: Held): void {\n", "  remove(held: Held): void {\n    POOL.delete(held)\n"],
  ],
  "\nconst POOL = new Set<Held>()\n",
)
