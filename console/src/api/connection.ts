// Knows whether the gateway answers, for the banner at the top of the page.
import { useEventValue } from "../parts/store.ts";
import { type Failure, isPassing } from "./errors.ts";

const EVENT = "uplift:connection";

let problem: Failure | null = null;

export function noteAnswer(failure: Failure | null): void {
  const next = failure && isPassing(failure) ? failure : null;
  if (next?.kind === problem?.kind) return;
  problem = next;
  window.dispatchEvent(new Event(EVENT));
}

export function useProblem(): Failure | null {
  return useEventValue(EVENT, () => problem);
}
