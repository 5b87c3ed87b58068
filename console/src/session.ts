// Keeps the API key of this tab: in its session storage only, never in an address. GraphiQL reads the same entry.
import { useEventValue } from "./parts/store.ts";

const STORED = "uplift:key";
const EVENT = "uplift:session";

// Why the page asks for the key: nobody signed in yet, the person left, or the gateway refuses the key from now on.
export type Ended = "left" | "refused" | null;

let ended: Ended = null;

export function currentKey(): string {
  return window.sessionStorage.getItem(STORED) ?? "";
}

export function whyEnded(): Ended {
  return ended;
}

export function keepKey(text: string): void {
  window.sessionStorage.setItem(STORED, cleaned(text));
  ended = null;
  window.dispatchEvent(new Event(EVENT));
}

export function endSession(why: Exclude<Ended, null>): void {
  if (!currentKey()) return;
  window.sessionStorage.removeItem(STORED);
  ended = why;
  window.dispatchEvent(new Event(EVENT));
}

// The key alone: people also paste "Bearer …", or a line with spaces.
export function cleaned(text: string): string {
  return text.trim().replace(/^bearer\s+/i, "");
}

export function useKey(): string {
  return useEventValue(EVENT, currentKey);
}
