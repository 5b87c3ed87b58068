// Knows whether the gateway answers, for the banner at the top of the page.
import { useEventValue } from "../parts/store.ts";
import { type Failure, isPassing } from "./errors.ts";

const EVENT = "uplift:connection";

let problem: Failure | null = null;

// The socket closes when the gateway goes; its client opens it again and subscribes anew, without a word.
const SOCKET_EVENT = "uplift:socket";

let isSocketOpen = false;

export function noteSocket(isOpen: boolean): void {
  isSocketOpen = isOpen;
  window.dispatchEvent(new Event(SOCKET_EVENT));
}

export function useSocketOpen(): boolean {
  return useEventValue(SOCKET_EVENT, () => isSocketOpen);
}

export function noteAnswer(failure: Failure | null): void {
  const next = failure && isPassing(failure) ? failure : null;
  if (next?.kind === problem?.kind) return;
  problem = next;
  window.dispatchEvent(new Event(EVENT));
}

export function useProblem(): Failure | null {
  return useEventValue(EVENT, () => problem);
}
