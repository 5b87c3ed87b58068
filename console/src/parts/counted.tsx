// A list of texts with numbers, the largest first, each with a bar that shows its part of the whole.
import { number } from "../texts/format.ts";

export interface CountedItem {
  key: string;
  text: string;
  count: number;
  href?: string | undefined;
}

export function Counted({
  title,
  items,
  whole,
  tone,
}: {
  title?: string;
  items: readonly CountedItem[];
  whole: number;
  tone: "warn" | "bad" | "accent";
}) {
  const sorted = [...items].sort((a, b) => b.count - a.count);
  return (
    <div class="counted">
      {title && <h3>{title}</h3>}
      <ul>
        {sorted.map(({ key, text, count, href }) => (
          <li key={key}>
            {href ? <a href={href}>{text}</a> : <span>{text}</span>}
            <span class="number">{number(count)}</span>
            <span class="bar">
              <span class={tone} style={{ width: `${Math.min(100, (100 * count) / Math.max(1, whole))}%` }} />
            </span>
          </li>
        ))}
      </ul>
    </div>
  );
}
