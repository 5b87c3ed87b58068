// When a query loads again: after its interval, or after a failure that may pass.
import { type Failure, isPassing } from "./errors.ts";

const LIVE_STRETCH = 10;
const RETRY_MS = 2_000;
const LONGEST_RETRY_MS = 30_000;

// Milliseconds until the next load; null for none. `failed` counts the failures in a row.
export function pauseBefore(
  failure: Failure | null,
  failed: number,
  every: number | undefined,
  isLive: boolean,
): number | null {
  if (failure && !isPassing(failure)) return null;
  if (failure?.retryAfter != null) return Math.max(RETRY_MS, failure.retryAfter * 1_000);
  if (failure) return Math.min(LONGEST_RETRY_MS, RETRY_MS * 2 ** Math.max(0, failed - 1));
  if (every === undefined) return null;
  return isLive ? every * LIVE_STRETCH : every;
}
