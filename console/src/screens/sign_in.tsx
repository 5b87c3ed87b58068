// Asks for an API key, and says why one is not accepted. The address stays, so that signing in leads back to it.
import { useEffect, useRef, useState } from "preact/hooks";
import { checkKey } from "../api/client.ts";
import type { Failure } from "../api/errors.ts";
import { Logo } from "../parts/icon.tsx";
import { sentences } from "../parts/states.tsx";
import { cleaned, keepKey, whyEnded } from "../session.ts";
import { t } from "../texts/index.ts";

export function SignIn() {
  const texts = t.common.signIn;
  const [text, setText] = useState("");
  const [message, setMessage] = useState<string>(beginningMessage());
  const [isChecking, setChecking] = useState(false);
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => {
    document.title = `${texts.title} · ${t.common.product}`;
    field.current?.focus();
  }, []);
  const signIn = async () => {
    const key = cleaned(text);
    if (!key) return setMessage(texts.missing);
    setChecking(true);
    setMessage("");
    const failure = await checkKey(key);
    if (!failure) return keepKey(key);
    setChecking(false);
    setMessage(sentenceFor(failure));
    field.current?.select();
  };
  return (
    <main class="sign-in">
      <form
        class="card stack"
        aria-busy={isChecking}
        onSubmit={(event) => {
          event.preventDefault();
          void signIn();
        }}
      >
        <span class="brand">
          <Logo /> {t.common.product}
        </span>
        <div class="stack" style={{ "--gap": 1 }}>
          <h1>{texts.title}</h1>
          <p class="quiet">{texts.intro}</p>
        </div>
        <div class="field">
          <label for="key">{texts.label}</label>
          <input
            id="key"
            class="input mono"
            type="password"
            autocomplete="off"
            spellcheck={false}
            placeholder="uplift_…"
            aria-describedby="key-message"
            ref={field}
            value={text}
            onInput={(event) => setText(event.currentTarget.value)}
          />
        </div>
        <p id="key-message" role="alert" class={message ? "notice bad" : "unseen"}>
          {message}
        </p>
        <button type="submit" class="button primary" aria-disabled={isChecking || undefined}>
          {isChecking ? texts.checking : texts.button}
        </button>
        <div class="stack quiet small" style={{ "--gap": 2 }}>
          <p>
            {texts.where} <code class="nowrap">uplift keys create</code>
          </p>
          <p>{texts.kept}</p>
        </div>
      </form>
    </main>
  );
}

function beginningMessage(): string {
  const ended = whyEnded();
  if (ended === "refused") return t.common.signIn.ended;
  return "";
}

function sentenceFor(failure: Failure): string {
  if (failure.kind === "unauthenticated") return t.common.signIn.refused;
  const { title, hint } = sentences(failure);
  return `${title}. ${hint}`;
}
