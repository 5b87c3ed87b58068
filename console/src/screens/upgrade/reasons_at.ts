// Why instances were skipped at one element, by reason and by what was found there.
import type { SkippedAtQuery } from "../../api/operations.ts";

export type SkippedOutcome = NonNullable<SkippedAtQuery["upgrade"]>["outcomes"]["nodes"][number];

export interface ReasonAt {
  code: string;
  // The codes of what was found at the element; empty for a reason that is not about elements.
  findings: string[];
  count: number;
  // Of the first instance: it says more than the code.
  message: string;
}

// The most frequent reason first. An instance with several reasons counts for each of them.
export function reasonsAt(outcomes: readonly SkippedOutcome[], elementId: string): ReasonAt[] {
  const found = new Map<string, ReasonAt>();
  for (const { code, message, findings } of outcomes.flatMap(({ reasons }) => reasons)) {
    const here = [...new Set(findings.filter(({ source }) => source === elementId).map((finding) => finding.code))];
    const key = `${code} ${here.sort().join(" ")}`;
    const known = found.get(key) ?? { code, findings: here, count: 0, message };
    found.set(key, { ...known, count: known.count + 1 });
  }
  return [...found.values()].sort((a, b) => b.count - a.count);
}
