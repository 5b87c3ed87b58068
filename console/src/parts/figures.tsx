// The main numbers of a screen, in a row.
import type { ComponentChildren } from "preact";

export function Figures({ children }: { children: ComponentChildren }) {
  return <dl class="figures card">{children}</dl>;
}

export function Figure({
  title,
  value,
  note,
  tone,
  isText = false,
}: {
  title: string;
  // Null until it is known.
  value: string | null | undefined;
  note?: ComponentChildren;
  tone?: "good" | "warn" | "bad" | undefined;
  isText?: boolean;
}) {
  return (
    <div>
      <dt>{title}</dt>
      <dd class={`figure ${isText ? "text" : "number"} ${tone ?? ""}`}>{value ?? <span class="skeleton short" />}</dd>
      {note && <dd class="quiet small">{note}</dd>}
    </div>
  );
}
