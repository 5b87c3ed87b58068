// Says things that happen: shown for a moment, and read by screen readers without moving the focus.
import { useEffect, useState } from "preact/hooks";

const EVENT = "uplift:announce";
const SHOWN_MS = 4_000;

export function announce(text: string, { isSilent = false } = {}): void {
  window.dispatchEvent(new CustomEvent(EVENT, { detail: { text, isSilent } }));
}

export function Announcements() {
  const [said, setSaid] = useState({ text: "", isSilent: true });
  useEffect(() => {
    const hear = (event: Event) => setSaid((event as CustomEvent<typeof said>).detail);
    window.addEventListener(EVENT, hear);
    return () => window.removeEventListener(EVENT, hear);
  }, []);
  useEffect(() => {
    if (!said.text) return;
    const timer = setTimeout(() => setSaid({ text: "", isSilent: true }), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [said]);
  return (
    <div class="toasts" role="status" aria-live="polite">
      {said.text && <div class={said.isSilent ? "unseen" : "toast"}>{said.text}</div>}
    </div>
  );
}
