// Numbers, dates and durations as the language of the page writes them.
export type Language = "en" | "de" | "ru";
export type Forms = { one: string; few?: string; many?: string; other: string };

let locale: Language = "en";

export function setLocale(language: Language): void {
  locale = language;
  made.clear();
}

const made = new Map<string, unknown>();

// Making a formatter costs far more than using one.
function kept<T>(name: string, make: () => T): T {
  if (!made.has(name)) made.set(name, make());
  return made.get(name) as T;
}

export const number = (value: number): string => kept("number", () => new Intl.NumberFormat(locale)).format(value);

// Three digits, for small labels: 12.7K.
export const compact = (value: number): string =>
  kept("compact", () => new Intl.NumberFormat(locale, { notation: "compact", maximumFractionDigits: 1 })).format(value);

// Never 0 % of something, and never 100 % of a part.
export function percent(part: number, whole: number): string {
  if (whole <= 0) return "–";
  const share = part === 0 || part === whole ? part / whole : Math.min(0.99, Math.max(0.01, part / whole));
  return kept("percent", () => new Intl.NumberFormat(locale, { style: "percent" })).format(share);
}

export const dateTime = (iso: string): string =>
  kept("dateTime", () => new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "medium" })).format(
    new Date(iso),
  );

export const date = (iso: string): string =>
  kept("date", () => new Intl.DateTimeFormat(locale, { dateStyle: "medium" })).format(new Date(iso));

export const time = (when: Date): string =>
  kept("time", () => new Intl.DateTimeFormat(locale, { timeStyle: "short" })).format(when);

const UNITS: [Intl.RelativeTimeFormatUnit, number][] = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
];

export function ago(iso: string, now: Date = new Date()): string {
  const seconds = Math.max(0, (now.getTime() - new Date(iso).getTime()) / 1_000);
  const format = kept("ago", () => new Intl.RelativeTimeFormat(locale, { numeric: "auto" }));
  for (const [unit, size] of UNITS) {
    if (seconds >= size)
      return unit === "day" && seconds >= 30 * size ? date(iso) : format.format(-Math.floor(seconds / size), unit);
  }
  return format.format(0, "second");
}

export function duration(seconds: number): string {
  const unit = seconds < 90 ? "second" : seconds < 5_400 ? "minute" : "hour";
  const size = { second: 1, minute: 60, hour: 3_600 }[unit];
  const value = seconds / size;
  const digits = value < 10 && !Number.isInteger(value) ? 1 : 0;
  return kept(
    `duration ${unit} ${digits}`,
    () => new Intl.NumberFormat(locale, { style: "unit", unit, unitDisplay: "short", maximumFractionDigits: digits }),
  ).format(value);
}

// A number with its noun: the language says which form it takes.
export function count(value: number, forms: Forms): string {
  return `${number(value)} ${form(value, forms)}`;
}

export function form(value: number, forms: Forms): string {
  const rule = kept("plural", () => new Intl.PluralRules(locale)).select(value);
  return forms[rule as keyof Forms] ?? forms.other;
}
