// Who is signed in; the appearance and the language of the page; signing out.
import { useState } from "preact/hooks";
import { Icon } from "./parts/icon.tsx";
import { endSession } from "./session.ts";
import { chooseLanguage, LANGUAGES, language, t } from "./texts/index.ts";
import { chooseTheme, chosenTheme, THEMES, type Theme } from "./theme.ts";
import type { Language } from "./texts/format.ts";
import { useViewer } from "./viewer.ts";

export function KeyMenu() {
  const { keyName, role, server } = useViewer();
  return (
    <>
      <button type="button" class="button plain" popovertarget="key-menu" aria-label={`${t.common.menu}: ${keyName}`}>
        <Icon name="person" size={18} />
        <span class="key-name">{keyName}</span>
      </button>
      <div id="key-menu" class="popover" popover="auto">
        <div class="stack">
          <div>
            <strong>{keyName}</strong>
            <p class="quiet small">{t.codes.role[role] ?? role}</p>
          </div>
          <ThemeChoice />
          <LanguageChoice />
          <div class="row spread small">
            <a href="graphql" target="_blank" rel="noreferrer">
              {t.common.api}
            </a>
            <span class="quiet">{t.common.version(server.version)}</span>
          </div>
          <button type="button" class="button" onClick={() => endSession("left")}>
            {t.common.signOut}
          </button>
        </div>
      </div>
    </>
  );
}

function ThemeChoice() {
  const [theme, setTheme] = useState(chosenTheme);
  const names: Record<Theme, string> = {
    system: t.common.themeSystem,
    light: t.common.themeLight,
    dark: t.common.themeDark,
  };
  return (
    <div class="field">
      <span class="label" id="theme-label">
        {t.common.theme}
      </span>
      <div class="segments" role="group" aria-labelledby="theme-label">
        {THEMES.map((name) => (
          <button
            key={name}
            type="button"
            class="grow"
            aria-pressed={theme === name}
            onClick={() => {
              chooseTheme(name);
              setTheme(name);
            }}
          >
            {names[name]}
          </button>
        ))}
      </div>
    </div>
  );
}

function LanguageChoice() {
  return (
    <div class="field">
      <label for="language">{t.common.language}</label>
      <select
        id="language"
        class="input"
        value={language}
        onChange={(event) => void chooseLanguage(event.currentTarget.value as Language)}
      >
        {Object.entries(LANGUAGES).map(([tag, name]) => (
          <option key={tag} value={tag} lang={tag}>
            {name}
          </option>
        ))}
      </select>
    </div>
  );
}
