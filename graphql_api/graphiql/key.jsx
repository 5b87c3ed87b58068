// The field for the API key. It keeps the key in the session of the browser tab: a reload keeps it, a new tab asks anew.
import { useEffect, useState } from "react";

const STORED = "uplift:key";
const PAUSE_IN_TYPING_MS = 500;

export function storedKey() {
  return window.sessionStorage.getItem(STORED) ?? "";
}

export function KeyField({ initialKey, onKey }) {
  const [text, setText] = useState(initialKey);
  const [isShown, setShown] = useState(false);
  const key = text.trim().replace(/^bearer\s+/i, "");
  const keep = () => {
    if (key) window.sessionStorage.setItem(STORED, key);
    else window.sessionStorage.removeItem(STORED);
    onKey(key);
  };
  useEffect(() => {
    const timer = setTimeout(keep, PAUSE_IN_TYPING_MS);
    return () => clearTimeout(timer);
  }, [key]);
  return (
    <form
      className="key-field"
      onSubmit={(event) => {
        event.preventDefault();
        keep();
      }}
    >
      <label htmlFor="key">API key</label>
      <input
        id="key"
        type={isShown ? "text" : "password"}
        autoComplete="off"
        spellCheck={false}
        placeholder="uplift_…"
        value={text}
        onChange={(event) => setText(event.target.value)}
        onBlur={keep}
      />
      <button type="button" aria-pressed={isShown} onClick={() => setShown(!isShown)}>
        Show
      </button>
    </form>
  );
}
