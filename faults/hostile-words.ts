/** Words that an event may bring and that mean something to whoever shows them, and what a message holds that fell for them. */

const TITLE_LETTERS = 20_000

export const HOSTILE_WORDS: readonly string[] = [
  "<script>alert(1)</script><img src=x onerror=alert(1)>",
  "</b></i></a><b><i>never closed <a href='https://evil.example/'>here",
  "<!channel> <!here> <@U123> <#C1|general> @channel @here",
  "<https://evil.example/|your bank>",
  "[click](https://evil.example/) *bold* _under_ `code` ~gone~",
  "a\r\nBcc: everybody@evil.example\r\n\r\n<p>another body</p>",
  "a\nBcc: everybody@evil.example",
  "\u202egnp.exe\u202c \u2066hidden\u2069",
  "bell \u0007 escape \u001b[31m delete \u007f",
  // biome-ignore lint/suspicious/noTemplateCurlyInString: it is what somebody may write
  "<%= 7*7 %> <%~ include('/etc/passwd') %> {{ 7*7 }} ${7*7}",
  "javascript:alert(1) data:text/html,<script>1</script>",
  "</Say><Dial>+15005550001</Dial><Say>",
  "&lt;b&gt; &amp;amp; &#60;script&#62; &nosuch; & < > \" '",
  "T".repeat(TITLE_LETTERS),
  '"><svg/onload=alert(1)>',
  "undefined ]]> --> */ ?>",
]

/** Telegram refuses a whole message for one tag or entity that it does not know, or that does not end. */
export function telegramRefuses(html: string): boolean {
  const open: string[] = []
  const pieces = html.match(/<[^>]*>?|&[^;\s]*;?/g) ?? []
  for (const piece of pieces) {
    const tag = /^<(\/?)(b|i|u|s|a|code|pre|strong|em)(?: href="[^"<>]*")?>$/.exec(piece)
    if (tag?.[2] !== undefined) {
      if (tag[1] === "") open.push(tag[2])
      else if (open.pop() !== tag[2]) return true
    } else if (!/^&(lt|gt|amp|quot|#\d+);$/.test(piece)) return true
  }
  return open.length > 0
}

/** Of a message's HTML: tags and attributes that no template of ours has. */
export const foreignMarkup = (html: string): boolean =>
  /<(script|img|svg|iframe|object|embed|form|base|link)\b|<[^>]*\son\w+\s*=|(href|src)\s*=\s*["']?\s*(javascript|data|https:\/\/evil)/i.test(
    html,
  )

/** Of Slack's text: anything in angle brackets but a link of ours, and words that would call everybody. */
export const callsInSlack = (text: string): boolean =>
  /@(channel|here|everyone)/i.test(text) ||
  text.replace(/<https:\/\/hub\.example\/[^<>|]*\|[^<>|]*>/g, "").includes("<")

/** What Twilio is to say: nothing but words. */
export const dialsElsewhere = (twiml: string): boolean =>
  twiml.replace(/<\/?(Response|Say|Pause|Gather)\b[^<>]*>|<\?xml[^<>]*\?>/g, "").includes("<")

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
export const hasControls = (text: string): boolean => /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/.test(text)

/** The template's own language was run, or a value was missing and its absence shown. */
export const wasEvaluated = (text: string): boolean => /\b49\b|root:|\[object Object\]/.test(text)
