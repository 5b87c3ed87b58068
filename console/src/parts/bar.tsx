// A bar of parts, whose lengths say how the whole is divided. `label` says the same in words.
export interface Part {
  value: number;
  tone: "good" | "warn" | "bad" | "accent" | "rest";
}

export function Bar({ parts, whole, label }: { parts: Part[]; whole: number; label: string }) {
  return (
    <span class="bar" role="img" aria-label={label} title={label}>
      {parts
        .filter(({ value }) => value > 0 && whole > 0)
        .map(({ value, tone }) => (
          <span key={tone} class={tone} style={{ width: `${Math.min(100, (100 * value) / whole)}%` }} />
        ))}
    </span>
  );
}
