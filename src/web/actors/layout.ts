/**
 * Where the boxes stand. Columns: the root at the left, children to the right, a parent at the middle of its children.
 * Where they have no room, an indented list. Both from the shape of the tree alone, so that nothing moves unless
 * somebody came or went, or the window changed.
 */
import type { Box } from "./shown.ts"

export interface Place {
  readonly key: string
  readonly box: Box
  readonly parent: string | null
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
  /** 1 is the root. */
  readonly level: number
  /** Of how many siblings it is which, from 1. */
  readonly position: number
  readonly siblings: number
}

export interface Line {
  readonly key: string
  /** An SVG path from the parent's edge to the child's. */
  readonly path: string
}

export interface Layout {
  /** In reading order: a parent, then what is below it. */
  readonly places: readonly Place[]
  readonly lines: readonly Line[]
  readonly width: number
  readonly height: number
}

export const HEIGHT = 42
const GAP_Y = 7
const GAP_X = 20
const INDENT = 18
/** Wider than this, figures at the right edge stand too far from the name that they are of. */
const WIDEST_LIST = 440
const BEND = 10

/** `widths`: of each level's boxes, from the root's; the last one holds for what is deeper. */
export function treeLayout(root: Box, widths: readonly number[]): Layout {
  const places: Place[] = []
  const lefts = [0]
  const widthOf = (level: number): number => widths[Math.min(level, widths.length) - 1] ?? 0
  const leftOf = (level: number): number => {
    for (let at = lefts.length; at < level; at++) lefts.push((lefts[at - 1] ?? 0) + widthOf(at) + GAP_X)
    return lefts[level - 1] ?? 0
  }
  let next = 0
  const put = (box: Box, parent: string | null, level: number, position: number, siblings: number): number => {
    const at = places.length
    const place = { key: box.key, box, parent, x: leftOf(level), y: 0, width: widthOf(level), height: HEIGHT }
    places.push({ ...place, level, position, siblings })
    const ys = box.children.map((child, n) => put(child, box.key, level + 1, n + 1, box.children.length))
    const [first, last] = [ys[0], ys.at(-1)]
    let y = next
    if (first === undefined || last === undefined) next += HEIGHT + GAP_Y
    else y = (first + last) / 2
    places[at] = { ...place, y, level, position, siblings }
    return y
  }
  put(root, null, 1, 1, 1)
  return finish(places, (from, to) => {
    const [x, y] = [from.x + from.width, from.y + HEIGHT / 2]
    const [toX, toY] = [to.x, to.y + HEIGHT / 2]
    const middle = x + GAP_X / 2
    if (y === toY) return `M${x} ${y}H${toX}`
    const turn = Math.min(BEND, Math.abs(toY - y) / 2, GAP_X / 2) * Math.sign(toY - y)
    const bend = Math.abs(turn)
    return `M${x} ${y}H${middle - bend}q${bend} 0 ${bend} ${turn}V${toY - turn}q0 ${turn} ${bend} ${turn}H${toX}`
  })
}

/** Where there are `room` pixels beside each other. */
export function listLayout(root: Box, room: number): Layout {
  const places: Place[] = []
  const width = Math.min(room, WIDEST_LIST)
  const put = (box: Box, parent: string | null, level: number, position: number, siblings: number): void => {
    const x = (level - 1) * INDENT
    const y = places.length * (HEIGHT + GAP_Y)
    places.push({ key: box.key, box, parent, x, y, width: width - x, height: HEIGHT, level, position, siblings })
    for (const [n, child] of box.children.entries()) put(child, box.key, level + 1, n + 1, box.children.length)
  }
  put(root, null, 1, 1, 1)
  return finish(places, (from, to) => {
    const x = from.x + INDENT / 2
    const toY = to.y + HEIGHT / 2
    return `M${x} ${from.y + HEIGHT}V${toY - 6}q0 6 6 6H${to.x}`
  })
}

function finish(places: readonly Place[], path: (from: Place, to: Place) => string): Layout {
  const byKey = new Map(places.map((place) => [place.key, place]))
  const lines = places.flatMap((to): readonly Line[] => {
    const from = to.parent === null ? undefined : byKey.get(to.parent)
    return from === undefined ? [] : [{ key: to.key, path: path(from, to) }]
  })
  const far = (edge: (place: Place) => number): number => Math.max(0, ...places.map(edge))
  return { places, lines, width: far((p) => p.x + p.width), height: far((p) => p.y + p.height) }
}

/** Does a new layout put anything elsewhere than the old one? */
export const sameLayout = (a: Layout, b: Layout): boolean =>
  a.width === b.width &&
  a.places.length === b.places.length &&
  a.places.every((place, n) => {
    const other = b.places[n]
    return (
      other !== undefined &&
      place.key === other.key &&
      place.x === other.x &&
      place.y === other.y &&
      place.width === other.width
    )
  })

const NARROWEST = 92
/** State, figures and mailbox want this much beside each other. */
const ACTOR = 146
const WIDEST = 230
/** A column is cut to this and no further: the names in it could no longer be told apart. */
const LEAST_CUT = 170
/** What stands beside the name: the shape with its gap, and the box's edges, as tree.css has them, and a pixel or two. */
const AROUND = 40
/** How wide a name is, in pixels. */
export type Measure = (name: string) => number

/** A name that fits a box of this width: cut in its middle, because names of one pool differ at their ends. */
export function fitted(name: string, width: number, measure: Measure): string {
  const [wide, room] = [measure(name), width - AROUND]
  if (wide <= room) return name
  const letters = Math.max(4, Math.floor((name.length * room) / wide) - 1)
  const head = Math.ceil(letters / 3)
  return `${name.slice(0, head)}…${name.slice(head - letters)}`
}

/**
 * How wide each level must be for its names; never narrower than `before`, so that columns stay where they are. The
 * children of a pool come and go: their names are cut.
 */
export function levelWidths(root: Box, before: readonly number[], measure: Measure): readonly number[] {
  const widths = [...before]
  const walk = (box: Box, level: number, inPool: boolean): void => {
    const { actor, children } = box
    const least = actor.mailbox !== null || box.kind === "stack" ? ACTOR : NARROWEST
    const wanted = inPool ? 0 : Math.ceil(measure(actor.name)) + AROUND
    widths[level] = Math.max(widths[level] ?? NARROWEST, least, Math.min(WIDEST, wanted))
    for (const child of children) walk(child, level + 1, inPool || actor.type === "pool")
  }
  walk(root, 0, false)
  return widths
}

/** The widths where the drawing has `room` pixels: the widest columns are cut alike. Null: columns do not fit there. */
export function fittingWidths(widths: readonly number[], room: number): readonly number[] | null {
  const gaps = GAP_X * (widths.length - 1)
  for (let most = WIDEST; most >= LEAST_CUT; most--) {
    const cut = widths.map((width) => Math.min(width, most))
    if (gaps + cut.reduce((sum, width) => sum + width, 0) <= room) return cut
  }
  return null
}
