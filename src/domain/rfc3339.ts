/** RFC 3339 times as producers write them: a missing offset means UTC (contract §5.1). */

const PATTERN =
  /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9})\d*)?)?(?:([Zz])|([+-])(\d\d):?(\d\d)?)?$/

/** The years that both a Date and PostgreSQL write with four digits. */
const EARLIEST = Date.parse("0001-01-01T00:00:00Z")
const LATEST = Date.parse("9999-12-31T23:59:59.999Z")

/** Milliseconds since the Unix epoch, or null where the text is no time. `:60` is a leap second: the last one of its minute. */
export function parseTime(text: string): number | null {
  const parts = PATTERN.exec(text)
  if (parts === null) return null
  const [, year = "", month = "", day = "", hour = "", minute = "", second = "0", fraction = "0"] = parts
  const [y, mo, d, h, mi, s] = [year, month, day, hour, minute, second].map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number, // six numbers in, six out
  ]
  if (mo < 1 || mo > 12 || d < 1 || d > daysIn(y, mo) || h > 23 || mi > 59 || s > 60) return null
  const offsetHours = Number(parts[10] ?? 0)
  const offsetMinutes = Number(parts[11] ?? 0)
  if (offsetHours > 23 || offsetMinutes > 59) return null
  const date = new Date(0)
  date.setUTCFullYear(y, mo - 1, d)
  date.setUTCHours(h, mi, Math.min(s, 59), s === 60 ? 999 : Math.floor(Number(`0.${fraction}`) * 1_000))
  const offset = (offsetHours * 60 + offsetMinutes) * 60_000
  const millis = date.getTime() - (parts[9] === "-" ? -offset : offset)
  return millis >= EARLIEST && millis <= LATEST ? millis : null
}

function daysIn(year: number, month: number): number {
  if (month === 2) return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28
  return [4, 6, 9, 11].includes(month) ? 30 : 31
}
