import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { inBatches, splitBatches } from "./batches.ts"

const MiB = 1024 * 1024
const bytes = (text: string): number => Buffer.byteLength(text)

describe("a long list", () => {
  test("becomes requests of at most 1,000 items", () => {
    const texts = Array.from({ length: 2_500 }, (_, index) => String(index))
    expect(splitBatches(texts).batches.map(({ from, size }) => [from, size])).toEqual([
      [0, 1_000],
      [1_000, 1_000],
      [2_000, 500],
    ])
  })

  test("becomes requests of at most 8 MiB", () => {
    const { batches } = splitBatches(Array.from({ length: 17 }, () => JSON.stringify("ع".repeat(MiB / 2 - 4))))
    expect(batches.map(({ size }) => size)).toEqual([8, 8, 1])
    expect(batches.every(({ body }) => bytes(body) <= 8 * MiB)).toBe(true)
  })

  test("becomes requests within the limits, whatever alphabet it is written in, with every item in its place", () => {
    const limits = { items: 4, bytes: 64 }
    const text = fc.record({ letter: fc.constantFrom("a", "ع", "😀"), length: fc.integer({ min: 0, max: 70 }) })
    fc.assert(
      fc.property(fc.array(text, { maxLength: 20 }), (items) => {
        const texts = items.map(({ letter, length }) => JSON.stringify(letter.repeat(length)))
        const { batches, tooLarge } = splitBatches(texts, limits)
        expect(batches.every(({ body }) => bytes(body) <= limits.bytes)).toBe(true)
        const back = batches.flatMap(({ from, size, body }) => {
          const values: unknown[] = JSON.parse(body)
          expect(values).toHaveLength(size)
          expect(size).toBeLessThanOrEqual(limits.items)
          return values.map((value, at) => [from + at, JSON.stringify(value)])
        })
        expect(back).toEqual([...texts.entries()].filter(([index]) => !tooLarge.has(index)))
        expect([...tooLarge]).toEqual([...texts.keys()].filter((index) => bytes(texts[index] ?? "") + 3 > limits.bytes))
      }),
    )
  })

  test("has an item that fits into no request refused in its place, and the others sent", async () => {
    const items = [{ a: 1 }, { a: "x".repeat(8 * MiB) }, { a: 3 }]
    const sent: string[] = []
    const results = await inBatches(items, ["accepted"], undefined, async ({ body }) => {
      sent.push(body)
      return { results: [{ index: 0, status: "accepted", id: `evt_${sent.length}` }] }
    })
    expect(sent).toEqual(['[{"a":1}]', '[{"a":3}]'])
    expect(results).toMatchObject([
      { index: 0, status: "accepted", id: "evt_1" },
      { index: 1, status: "invalid", errors: [{ pointer: "" }] },
      { index: 2, status: "accepted", id: "evt_2" },
    ])
  })

  test("is one without requests when it is empty", async () => {
    expect(await inBatches([], ["accepted"], undefined, () => Promise.reject(new Error("asked")))).toEqual([])
  })

  test("whose answer misses a result, or has a strange one, is not believed", async () => {
    const answers = [
      {},
      null,
      { results: [{ index: 0, status: "accepted", id: "evt_1" }] },
      { results: [1, 2] },
      { results: [{ status: "accepted" }, { status: "accepted", id: "evt_2" }] },
      {
        results: [
          { status: "created", id: "a" },
          { status: "accepted", id: "evt_2" },
        ],
      },
    ]
    for (const answer of answers)
      await expect(inBatches([{}, {}], ["accepted"], "k", async () => answer)).rejects.toMatchObject({
        kind: "unexpected_answer",
        idempotencyKey: "k",
      })
  })
})
