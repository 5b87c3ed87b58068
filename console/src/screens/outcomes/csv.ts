// Writes outcomes as CSV (RFC 4180), so that no spreadsheet takes a text for a formula.
import type { Outcome } from "../outcomes.tsx";

export const HEADER = "instance,outcome,reasons,from version,to version,from position,to position";

export function csvLine({
  instanceId,
  kind,
  reasons,
  fromVersion,
  toVersion,
  fromPosition,
  toPosition,
}: Outcome): string {
  return [
    instanceId,
    kind,
    reasons.map(({ code }) => code).join(" "),
    fromVersion ?? "",
    toVersion ?? "",
    (fromPosition ?? []).join(" "),
    (toPosition ?? []).join(" "),
  ]
    .map(csvField)
    .join(",");
}

export function csvField(value: string | number): string {
  const text = String(value);
  const harmless = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}
