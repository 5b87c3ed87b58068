// The texts of the page in the language that the person reads. English is in the page, others load when needed.
import { en } from "./en/index.ts";
import { type Language, setLocale } from "./format.ts";

export type Catalogue = typeof en;

export const LANGUAGES: Record<Language, string> = { en: "English", de: "Deutsch", ru: "Русский" };
const STORED = "uplift:language";
const LOAD: Record<Language, () => Promise<Catalogue>> = {
  en: async () => en,
  de: async () => (await import("./de/index.ts")).de,
  ru: async () => (await import("./ru/index.ts")).ru,
};

// A live binding: modules that import `t` see the texts of the language that was chosen last.
export let t: Catalogue = en;
export let language: Language = "en";

export async function applyLanguage(chosen: Language): Promise<void> {
  t = await LOAD[chosen]();
  language = chosen;
  setLocale(chosen);
  document.documentElement.lang = chosen;
}

export async function chooseLanguage(chosen: Language): Promise<void> {
  await applyLanguage(chosen);
  window.localStorage.setItem(STORED, chosen);
  window.dispatchEvent(new Event("uplift:language"));
}

// What was chosen at an earlier visit, or else the first language of the browser that there is.
export function preferredLanguage(): Language {
  const wanted = [window.localStorage.getItem(STORED), ...window.navigator.languages];
  const known = wanted.map((tag) => tag?.slice(0, 2).toLowerCase()).find((tag) => tag && tag in LANGUAGES);
  return (known as Language | undefined) ?? "en";
}
