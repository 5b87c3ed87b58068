// Keys for the whole page, such as "g p" (one after the other), "/" or "mod+k" (Ctrl, or Cmd on a Mac).
import { useEffect, useRef } from "preact/hooks";

const PAUSE_BETWEEN_MS = 1_000;

export function useKeys(actions: Record<string, () => void>): void {
  const current = useRef(actions);
  current.current = actions;
  useEffect(() => {
    let before = { key: "", at: 0 };
    const press = (event: KeyboardEvent) => {
      const isMod = event.ctrlKey || event.metaKey;
      if (event.altKey || (!isMod && isTyping(event.target))) return;
      const now = Date.now();
      const chord = now - before.at < PAUSE_BETWEEN_MS ? `${before.key} ${event.key}` : "";
      const name = isMod ? `mod+${event.key.toLowerCase()}` : event.key;
      const action = current.current[chord] ?? current.current[name];
      before = { key: isMod ? "" : event.key, at: now };
      if (!action) return;
      event.preventDefault();
      action();
    };
    window.addEventListener("keydown", press);
    return () => window.removeEventListener("keydown", press);
  }, []);
}

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return (
    target.isContentEditable || /^(input|textarea|select)$/i.test(target.tagName) || target.closest("dialog") !== null
  );
}
