// A BPMN diagram with marks and labels at its elements. A table beside it has the same, for those who cannot see it.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { Icon, type IconName } from "../parts/icon.tsx";
import { t } from "../texts/index.ts";
import type { ViewLabel } from "./labels.ts";
import type { View } from "./viewer.ts";

export type Mark = "added" | "removed" | "changed" | "blocked" | "chosen" | "pointed";

export interface ElementLabel extends ViewLabel {
  tone: "waiting" | "running" | "inside" | "added" | "removed" | "changed";
}

// Diagrams with the same link move together.
export interface Link {
  views: Set<View>;
  // Called after they have moved.
  hearing: Set<() => void>;
  isMoving: boolean;
}

export interface DiagramProps {
  xml: string;
  title: string;
  marks?: ReadonlyMap<string, Mark>;
  labels?: (view: View) => ElementLabel[];
  chosen?: string | null;
  pointed?: readonly string[];
  onChoose?: (elementId: string | null) => void;
  onPoint?: (elementId: string | null) => void;
  onOpen?: (view: View | null) => void;
  link?: Link;
}

export const makeLink = (): Link => ({ views: new Set(), hearing: new Set(), isMoving: false });

export function Diagram(props: DiagramProps) {
  const { xml, title, marks, labels, chosen, pointed, link } = props;
  const place = useRef<HTMLDivElement>(null);
  const current = useRef(props);
  current.current = props;
  const [view, setView] = useState<View | null>(null);
  const [problem, setProblem] = useState("");
  const [height, setHeight] = useState(0);

  useEffect(() => {
    let opened: View | null = null;
    let isGone = false;
    setProblem("");
    setView(null);
    const heard = { isGone: () => isGone, onHeight: setHeight };
    void open(place.current as HTMLDivElement, xml, current, link, heard).then(
      (made) => {
        if (!made) return;
        if (isGone) return made.destroy();
        opened = made;
        link?.views.add(made);
        setView(made);
        current.current.onOpen?.(made);
      },
      (error: unknown) => {
        if (!isGone) setProblem(error instanceof Error ? error.message : String(error));
      },
    );
    return () => {
      isGone = true;
      if (!opened) return;
      link?.views.delete(opened);
      current.current.onOpen?.(null);
      opened.destroy();
    };
  }, [xml]);

  const allMarks = useMemo(() => {
    const all = new Map<string, string>(marks);
    for (const id of pointed ?? []) all.set(id, `${all.get(id) ?? ""} pointed`.trim());
    if (chosen) all.set(chosen, `${all.get(chosen) ?? ""} chosen`.trim());
    return all;
  }, [marks, chosen, pointed]);
  useEffect(() => view?.setMarks(allMarks), [view, allMarks]);
  useEffect(() => {
    view?.setLabels(labels?.(view) ?? []);
  }, [view, labels]);
  useEffect(() => {
    if (chosen) view?.show(chosen);
  }, [view, chosen]);

  return (
    <figure class="diagram" style={height ? { "--fitting": `${Math.round(height)}px` } : {}}>
      <div
        ref={place}
        class="diagram-canvas"
        role="group"
        aria-label={t.diagram.label(title)}
        aria-busy={!view && !problem}
        onWheelCapture={(event) => {
          if (!event.ctrlKey && !event.metaKey) event.stopPropagation(); // the page scrolls
        }}
      />
      {problem ? (
        <p class="diagram-problem" role="status">
          <strong>{t.diagram.notDrawn}</strong> {t.diagram.notDrawnHint} <span class="mono small">{problem}</span>
        </p>
      ) : (
        <div class="diagram-tools">
          <Tool icon="plus" text={t.diagram.zoomIn} onClick={() => view?.zoomBy(1.25)} />
          <Tool icon="minus" text={t.diagram.zoomOut} onClick={() => view?.zoomBy(0.8)} />
          <Tool icon="fit" text={t.diagram.fit} onClick={() => view?.fit()} />
        </div>
      )}
    </figure>
  );
}

function Tool({ icon, text, onClick }: { icon: IconName; text: string; onClick: () => void }) {
  return (
    <button type="button" aria-label={text} title={text} onClick={onClick}>
      <Icon name={icon} />
    </button>
  );
}

async function open(
  place: HTMLDivElement,
  xml: string,
  current: { current: DiagramProps },
  link: Link | undefined,
  heard: { isGone: () => boolean; onHeight: (height: number) => void },
): Promise<View | null> {
  const { openView } = await import("./viewer.ts");
  let view: View | null = null; // it moves before it is ready
  const hearing = {
    onClick: (id: string | null) => current.current.onChoose?.(id),
    onHover: (id: string | null) => current.current.onPoint?.(id),
    onMove: () => {
      if (link && view) moveTogether(link, view);
    },
    onHeight: heard.onHeight,
  };
  view = await openView(place, xml, hearing, heard.isGone);
  return view;
}

function moveTogether(link: Link, from: View): void {
  if (link.isMoving) return; // the others report their own move
  link.isMoving = true;
  const box = from.box();
  for (const view of link.views) if (view !== from) view.setBox(box);
  link.isMoving = false;
  for (const hear of link.hearing) hear();
}
