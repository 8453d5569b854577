/** When something came, as the programs of readers say it. */
const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" })
const DAY = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short" })

/** `14:02`; empty for what is no time. */
export const clock = (time: string): string => (Number.isNaN(Date.parse(time)) ? "" : CLOCK.format(Date.parse(time)))

/** `Today 14:02`, `Thu 19 Nov 14:02`. */
export function when(time: string): string {
  const then = Date.parse(time)
  if (Number.isNaN(then)) return ""
  const day = DAY.format(then)
  return `${day === DAY.format(Date.now()) ? "Today" : day} ${CLOCK.format(then)}`
}
