// The differences between two versions as one list, the gravest first.
import type { ComparisonQuery } from "../../api/operations.ts";
import { t } from "../../texts/index.ts";

export type Comparison = NonNullable<NonNullable<ComparisonQuery["process"]>["comparison"]>;
export type Group = "error" | "warning" | "removed" | "added" | "changed";

export interface Difference {
  key: string;
  group: Group;
  // The element in the source and in the target version; null where it is missing.
  source: string | null;
  target: string | null;
  title: string;
  detail: string;
}

export const GROUPS: readonly Group[] = ["error", "warning", "removed", "added", "changed"];

// So that no group is told by its colour alone.
export const SIGNS: Record<Group, string> = { error: "!", warning: "i", removed: "−", added: "+", changed: "~" };

export function differencesOf(comparison: Comparison): Difference[] {
  return [
    ...comparison.errors.map((finding) => ofFinding("error", finding)),
    ...comparison.warnings.map((finding) => ofFinding("warning", finding)),
    ...comparison.removed.map((element) => ofElement("removed", element)),
    ...comparison.added.map((element) => ofElement("added", element)),
    ...comparison.changed.map(({ source, target, aspects }) => ({
      key: `changed ${source.elementId}`,
      group: "changed" as const,
      source: source.elementId,
      target: target.elementId,
      title: target.name || source.name || target.elementId,
      detail: aspects.map((aspect) => t.codes.aspect[aspect] ?? aspect).join(", "),
    })),
  ];
}

function ofFinding(
  group: "error" | "warning",
  { code, source, target, name, message }: Comparison["errors"][number],
): Difference {
  return {
    key: `${code} ${source ?? ""} ${target ?? ""}`,
    group,
    source,
    target,
    title: name || source || (t.codes.finding[code] ?? code),
    detail: t.codes.finding[code] ?? message,
  };
}

function ofElement(group: "added" | "removed", { elementId, name, kind }: Comparison["added"][number]): Difference {
  return {
    key: `${group} ${elementId}`,
    group,
    source: group === "removed" ? elementId : null,
    target: group === "added" ? elementId : null,
    title: name || elementId,
    detail: t.codes.kind[kind] ?? kind,
  };
}
