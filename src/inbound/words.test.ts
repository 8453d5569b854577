import { describe, expect, test } from "bun:test"
import { isAnsweredByTwilio, meaningOf } from "./words.ts"

describe("a short answer", () => {
  test.each([
    ["STOP", "stop"],
    ["stop", "stop"],
    ["  Stop! ", "stop"],
    ["stop.", "stop"],
    ["“STOP”", "stop"],
    ["STOP ALL", "stop"],
    ["StopAll", "stop"],
    ["please stop", "stop"],
    ["Quit", "stop"],
    ["END", "stop"],
    ["revoke", "stop"],
    ["opt out", "stop"],
    ["OPT-OUT", "stop"],
    ["Optout", "stop"],
    ["cancel", "stop"],
    ["UNSUBSCRIBE", "stop"],
    ["ＳＴＯＰ", "stop"],
    ["توقف", "stop"],
    ["إيقاف", "stop"],
    ["ايقاف", "stop"],
    ["إلغاء الاشتراك", "stop"],
    ["تَوَقَّف", "stop"],
    ["Arrêt", "stop"],
    ["STOP 🛑", "stop"],
    ["😡😡 stop!!!", "stop"],
    ["Stop stop STOP", "stop"],
    ["opt out 🙏", "stop"],
    ["START", "start"],
    ["unstop", "start"],
    ["yes", "yes"],
    ["HELP", "help"],
    ["info", "help"],
    ["ack", "acknowledge"],
    ["OK", "acknowledge"],
    ["ok 👍", null],
    ["👍🏽", "acknowledge"],
    ["✅", "acknowledge"],
    ["تم", "acknowledge"],
  ] as const)("%s is %s", (text, meaning) => {
    expect(meaningOf(text)).toBe(meaning)
  })

  test.each([
    ["stop loss at 5"],
    ["don't stop"],
    ["is the shop at the end"],
    ["cancel order 7"],
    ["ok, and who calls the client?"],
    [""],
    ["stop ".repeat(100)],
    ["__proto__"],
  ])("%s says something of its own", (text) => {
    expect(meaningOf(text)).toBeNull()
  })

  test("is answered by Twilio where Twilio knows the word, and by us where it does not", () => {
    for (const word of ["STOP", " unsubscribe ", "Revoke", "OPTOUT", "start", "HELP"])
      expect([word, isAnsweredByTwilio(word)]).toEqual([word, true])
    for (const word of ["opt out", "توقف", "please stop"])
      expect([word, isAnsweredByTwilio(word)]).toEqual([word, false])
  })
})
