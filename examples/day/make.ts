// Makes the day: day.ndjson and recipients.json, the same bytes on every machine, because the only chance in it is a
// seeded one. Run `bun examples/day/make.ts` after a change here; `--check` writes nothing and says whether the
// committed files are what this makes.
import { readFileSync, writeFileSync } from "node:fs"
import { al, alNoor, dijla, sumer } from "./make/catalogue.ts"
import { pick } from "./make/chance.ts"
import { at, moment, repeats, sendings } from "./make/daybook.ts"
import { fill, marginCall } from "./make/desk.ts"
import { burst, order, overdueRun, purchase, stock } from "./make/erp.ts"
import { oddities } from "./make/oddities.ts"
import { recipients } from "./make/people.ts"
import { restaurants } from "./make/restaurants.ts"
import { baghdad } from "./make/spellings.ts"

/** Lists of words on one line, as the formatter wants a committed file. */
const oneLineLists = (json: string): string =>
  json.replace(/\[\s+("[^[\]{}]*")\s+\]/g, (_, words: string) => `[${words.replace(/,\s+/g, ", ")}]`)

function day(): { ndjson: string; people: string } {
  overdueRun(alNoor, 92)
  overdueRun(al, 20)
  overdueRun(sumer, 24)
  overdueRun(dijla, 14)
  for (let i = 0; i < 105; i++) order(alNoor)
  for (let i = 0; i < 34; i++) order(al)
  for (let i = 0; i < 42; i++) order(sumer)
  burst()
  for (let i = 0; i < 170; i++) {
    const shop = pick([alNoor, alNoor, al, sumer])
    stock(
      pick(["stock.low", "stock.low", "stock.out", "stock.adjusted", "stock.transferred"]),
      shop,
      pick(shop.branches).id,
      moment(at(8), at(20)),
      pick(shop.spellings),
    )
  }
  for (let i = 0; i < 34; i++) purchase(alNoor, ["rania.fadhil", "layth.qasim", "yasir.naji", "new.hire"])
  for (let i = 0; i < 10; i++) purchase(al, ["murtadha.adil"])
  for (let i = 0; i < 18; i++) purchase(dijla, ["saif.aldin", "chef.salam", "chef.dilan"])
  for (let i = 0; i < 14; i++) purchase(sumer, ["ruqaya.salim", "abbas.musawi"])
  for (let i = 0; i < 290; i++) fill()
  for (let i = 0; i < 40; i++) marginCall()
  restaurants()
  oddities()
  repeats(130)

  const inOrder = sendings
    .map((sending, index) => ({ sending, index }))
    .sort((a, b) => a.sending.at - b.sending.at || a.index - b.index)
  const lines = inOrder.map(({ sending }) => JSON.stringify({ at: baghdad(sending.at), ...sending.request }))
  return { ndjson: `${lines.join("\n")}\n`, people: `${oneLineLists(JSON.stringify(recipients(), null, 2))}\n` }
}

const { ndjson, people } = day()
const files = [
  { url: new URL("day.ndjson", import.meta.url), made: ndjson },
  { url: new URL("recipients.json", import.meta.url), made: people },
]
if (process.argv.includes("--check")) {
  const stale = files.filter(({ url, made }) => readFileSync(url, "utf8") !== made)
  for (const { url } of stale)
    console.error(`${url.pathname.split("/").pop()} is not what make.ts makes: run bun examples/day/make.ts`)
  process.exitCode = stale.length === 0 ? 0 : 1
} else {
  for (const { url, made } of files) writeFileSync(url, made)
  console.log(`day.ndjson: ${ndjson.split("\n").length - 1} lines, ${Buffer.byteLength(ndjson)} bytes`)
}
