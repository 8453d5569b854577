/** What the pages behind links say, in the languages that the shipped templates have. Their readers are people, in theirs. */
import type { PersonalChannel } from "../domain/channel.ts"

type Said = { readonly title: string; readonly says: string }

export interface LinkWords {
  readonly lang: string
  readonly dir: "ltr" | "rtl"
  readonly names: Readonly<Record<PersonalChannel, string>>
  /** `of`: one of the names. */
  advertising(of: string): string
  about(of: string, category: string): string
  readonly dead: Said
  readonly unsubscribe: {
    readonly title: string
    asks(what: string): string
    readonly done: string
    says(what: string): string
    stop(what: string): string
    stopAll(of: string): string
  }
  readonly preferences: {
    readonly title: string
    /** `until`: a day, as 2026-03-02. */
    asks(until: string): string
    readonly save: string
    readonly saved: Said
  }
  readonly acknowledge: Said & { readonly button: string; readonly done: Said }
}

const ENGLISH: LinkWords = {
  lang: "en",
  dir: "ltr",
  names: {
    email: "e-mails",
    sms: "text messages",
    voice: "calls",
    telegram: "Telegram messages",
    slack: "Slack messages",
    push: "push messages",
  },
  advertising: (of) => `advertising ${of}`,
  about: (of, category) => `${of} about ${category}`,
  dead: {
    title: "This link does not work",
    says: "It may have been cut off, or its time is over. Please use the link of a newer message.",
  },
  unsubscribe: {
    title: "Unsubscribe",
    asks: (what) => `Do you want no more ${what}?`,
    done: "You are unsubscribed",
    says: (what) => `You get no more ${what}.`,
    stop: (what) => `No more ${what}`,
    stopAll: (of) => `No more advertising ${of} at all`,
  },
  preferences: {
    title: "Your messages",
    asks: (until) => `What may reach you? This page works until ${until}.`,
    save: "Save",
    saved: { title: "Saved", says: "From now on you are told as you chose." },
  },
  acknowledge: {
    title: "Acknowledge",
    says: "Say that you have taken it up: nobody else is told again then.",
    button: "I have it",
    done: { title: "Acknowledged", says: "Everybody who was told sees that it is taken care of." },
  },
}

const ARABIC: LinkWords = {
  lang: "ar",
  dir: "rtl",
  names: {
    email: "رسائل البريد الإلكتروني",
    sms: "الرسائل النصية",
    voice: "المكالمات الهاتفية",
    telegram: "رسائل تيليغرام",
    slack: "رسائل سلاك",
    push: "الإشعارات على الأجهزة",
  },
  advertising: (of) => `${of} الإعلانية`,
  about: (of, category) => `${of} المتعلقة بـ\u2068${category}\u2069`,
  dead: {
    title: "هذا الرابط لا يعمل",
    says: "ربما قُطع الرابط أو انتهت مدته. يُرجى استخدام رابط من رسالة أحدث.",
  },
  unsubscribe: {
    title: "إلغاء الاشتراك",
    asks: (what) => `هل تريد التوقف عن تلقي ${what}؟`,
    done: "تم إلغاء اشتراكك",
    says: (what) => `لن تصلك ${what} بعد الآن.`,
    stop: (what) => `أوقفوا ${what}`,
    stopAll: (of) => `أوقفوا ${of} الإعلانية كلها`,
  },
  preferences: {
    title: "رسائلك",
    asks: (until) => `ما الذي تسمح بوصوله إليك؟ تعمل هذه الصفحة حتى \u2068${until}\u2069.`,
    save: "حفظ",
    saved: { title: "تم الحفظ", says: "من الآن فصاعدًا ستصلك الرسائل كما اخترت." },
  },
  acknowledge: {
    title: "تأكيد الاستلام",
    says: "أكِّد أنك تولّيت الأمر، فلن يُبلَّغ به غيرك مرة أخرى.",
    button: "توليت الأمر",
    done: { title: "تم التأكيد", says: "يرى كل من أُبلغ أن الأمر قيد المعالجة." },
  },
}

const LANGUAGES: Readonly<Record<string, LinkWords>> = { en: ENGLISH, ar: ARABIC }

/** Of the first of these that there are words for: locales such as `ar-IQ`, or what a browser says that it accepts. */
export function linkWords(...wanted: readonly (string | null)[]): LinkWords {
  for (const one of wanted)
    for (const range of (one ?? "").split(",").slice(0, 20)) {
      const found = LANGUAGES[range.trim().split(/[-_;]/)[0]?.toLowerCase() ?? ""]
      if (found !== undefined) return found
    }
  return ENGLISH
}
