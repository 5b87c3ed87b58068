// Which elements keep instances of which version from being upgraded, and how many instances wait at each.
import type { PlannedCohort } from "../plan.tsx";

// By version, then by element.
export function blockersIn(cohorts: readonly PlannedCohort[]): Map<number, Map<string, number>> {
  const blockers = new Map<number, Map<string, number>>();
  for (const { version, count, reasons } of cohorts) {
    const findings = reasons.flatMap(({ findings: each }) => each);
    const sources = new Set(findings.map(({ source }) => source).filter((source) => source !== null));
    for (const source of sources) {
      const elements = blockers.get(version) ?? new Map<string, number>();
      elements.set(source, (elements.get(source) ?? 0) + count);
      blockers.set(version, elements);
    }
  }
  return blockers;
}
