// Arrows from elements of one diagram to elements of the diagram below it. A list beside them says the same.
import { useEffect, useRef, useState } from "preact/hooks";
import type { Link } from "./diagram.tsx";
import type { View } from "./viewer.ts";

export interface Arrow {
  source: string;
  target: string;
  isChosen: boolean;
}

interface Props {
  from: View | null;
  to: View | null;
  arrows: readonly Arrow[];
  // Of the two diagrams: arrows follow when they are moved.
  link: Link;
}

const HEAD = 6;

export function Arrows({ from, to, arrows, link }: Props) {
  const place = useRef<SVGSVGElement>(null);
  const [paths, setPaths] = useState<{ key: string; path: string; isChosen: boolean }[]>([]);
  useEffect(() => {
    const box = place.current;
    if (!from || !to || !box) return setPaths([]);
    const draw = () => {
      const { left, top } = box.getBoundingClientRect();
      setPaths(
        arrows.flatMap(({ source, target, isChosen }) => {
          const [start, end] = [from.placeOf(source), to.placeOf(target)];
          if (!start || !end) return [];
          const [x1, y1] = [start.x + start.width / 2 - left, start.y + start.height - top];
          const [x2, y2] = [end.x + end.width / 2 - left, end.y - top];
          return [{ key: `${source} ${target}`, path: pathBetween(x1, y1, x2, y2), isChosen }];
        }),
      );
    };
    const resizing = new ResizeObserver(draw); // draws at once, too
    resizing.observe(box);
    link.hearing.add(draw);
    return () => {
      resizing.disconnect();
      link.hearing.delete(draw);
    };
  }, [from, to, arrows, link]);
  return (
    <svg ref={place} class="arrows" aria-hidden="true" focusable="false">
      {paths.map(({ key, path, isChosen }) => (
        <path key={key} d={path} class={isChosen ? "chosen" : ""} />
      ))}
    </svg>
  );
}

// Leaves downwards, and arrives from above with a head.
function pathBetween(x1: number, y1: number, x2: number, y2: number): string {
  const bend = Math.max(30, Math.abs(y2 - y1) / 2);
  const curve = `M${x1} ${y1}C${x1} ${y1 + bend} ${x2} ${y2 - bend} ${x2} ${y2}`;
  const head = `M${x2 - HEAD} ${y2 - 1.5 * HEAD}L${x2} ${y2}L${x2 + HEAD} ${y2 - 1.5 * HEAD}`;
  return curve + head;
}
