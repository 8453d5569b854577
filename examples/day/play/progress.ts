// A bar where somebody watches, a line every tenth where nobody does.

export type Progress = { step: (note?: string) => void; done: () => void }

const BAR = 30
const REDRAW_MS = 80

export function progressOf(label: string, total: number): Progress {
  const tty = process.stdout.isTTY === true
  let count = 0
  let drawn = 0
  let tenth = 0
  const draw = (note: string): void => {
    const full = total === 0 ? BAR : Math.round((count / total) * BAR)
    process.stdout.write(
      `\r${label.padEnd(10)} ${"█".repeat(full)}${"░".repeat(BAR - full)} ${count}/${total} ${note}\x1b[K`,
    )
  }
  return {
    step(note = "") {
      count++
      if (tty) {
        const now = Date.now()
        if (now - drawn < REDRAW_MS && count < total) return
        drawn = now
        draw(note)
      } else if (Math.floor((count * 10) / total) > tenth) {
        tenth = Math.floor((count * 10) / total)
        console.log(`${label} ${count}/${total} ${note}`.trimEnd())
      }
    },
    done() {
      if (tty) process.stdout.write("\n")
    },
  }
}
