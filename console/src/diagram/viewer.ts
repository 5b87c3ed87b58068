// Draws a BPMN document with bpmn-js. Loaded when a diagram is first shown.
import NavigatedViewer from "bpmn-js/lib/NavigatedViewer";
import { drawable } from "./layout.ts";

// The parts of diagram-js that are used here. Its own types are those of each service, which are found by name only.
interface Shape {
  id: string;
  type: string;
  collapsed?: boolean;
  height: number;
}
interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
  scale: number;
}
interface Canvas {
  zoom(scale: number | "fit-viewport", center?: "auto"): number;
  viewbox(box?: Omit<Box, "scale">): Box & { outer: { width: number; height: number }; inner: Box };
  addMarker(id: string, marker: string): void;
  removeMarker(id: string, marker: string): void;
  scrollToElement(id: string, padding?: number): void;
  findRoot(id: string): unknown;
  setRootElement(root: unknown): void;
  resized(): void;
}
interface Registry {
  get(id: string): Shape | undefined;
  getAll(): Shape[];
}
interface Overlays {
  add(
    id: string,
    type: string,
    overlay: { position: Record<string, number>; html: HTMLElement; scale: object },
  ): string;
  remove(filter: { type: string }): void;
}
interface Events {
  on(event: string, hear: (event: { element?: Shape }) => void): void;
}

export interface View {
  has: (elementId: string) => boolean;
  isCollapsed: (elementId: string) => boolean;
  setMarks: (marks: ReadonlyMap<string, string>) => void;
  setLabels: (labels: readonly { elementId: string; html: HTMLElement }[]) => void;
  show: (elementId: string) => void;
  fit: () => void;
  // The height at which the whole diagram fits the width of its place.
  fittingHeight: () => number;
  zoomBy: (factor: number) => void;
  box: () => Omit<Box, "scale">;
  setBox: (box: Omit<Box, "scale">) => void;
  destroy: () => void;
}

const FONT = "system-ui, sans-serif"; // as in diagram.css: texts are measured with it
const LABELS = "uplift-labels";
const READABLE = { min: 0.85, max: 1.3 }; // however far away the diagram is
const LARGEST_FIT = 1.1;
const SMALL = 60;
const MARGIN = 24;
const WITH_MARGIN = 0.93;

export interface Hearing {
  onClick: (elementId: string | null) => void;
  onHover: (elementId: string | null) => void;
  onMove: () => void;
}

// Rejects if the document cannot be drawn.
export async function openView(container: HTMLElement, xml: string, hearing: Hearing): Promise<View> {
  const colours = { defaultFillColor: "var(--diagram-fill)", defaultStrokeColor: "var(--diagram-line)" };
  const viewer = new NavigatedViewer({
    container,
    bpmnRenderer: colours,
    textRenderer: { defaultStyle: { fontFamily: FONT }, externalStyle: { fontFamily: FONT } },
  } as ConstructorParameters<typeof NavigatedViewer>[0]);
  try {
    await viewer.importXML(await drawable(xml));
  } catch (error) {
    viewer.destroy();
    throw error;
  }
  const canvas = viewer.get<Canvas>("canvas");
  const registry = viewer.get<Registry>("elementRegistry");
  const overlays = viewer.get<Overlays>("overlays");
  const events = viewer.get<Events>("eventBus");
  let marked: ReadonlyMap<string, string> = new Map();

  const forEachWord = (id: string, names: string, act: (word: string) => void) => {
    if (registry.get(id)) for (const name of names.split(" ")) act(`is-${name}`);
  };
  const fit = () => {
    canvas.zoom("fit-viewport", "auto");
    canvas.zoom(Math.min(LARGEST_FIT, canvas.viewbox().scale * WITH_MARGIN), "auto");
  };
  events.on("element.click", ({ element }) => hearing.onClick(elementOf(element)));
  events.on("element.hover", ({ element }) => hearing.onHover(elementOf(element)));
  events.on("element.out", () => hearing.onHover(null));
  events.on("canvas.viewbox.changed", () => hearing.onMove());
  events.on("root.set", fit);
  fit();
  const resizing = new ResizeObserver(() => canvas.resized());
  resizing.observe(container);

  return {
    has: (id) => registry.get(id) !== undefined,
    isCollapsed: (id) => registry.get(id)?.collapsed === true,
    setMarks: (marks) => {
      for (const [id, names] of marked) forEachWord(id, names, (word) => canvas.removeMarker(id, word));
      for (const [id, names] of marks) forEachWord(id, names, (word) => canvas.addMarker(id, word));
      marked = marks;
    },
    setLabels: (labels) => {
      overlays.remove({ type: LABELS });
      for (const { elementId, html } of labels) {
        const shape = registry.get(elementId);
        if (shape) overlays.add(elementId, LABELS, { position: placeOf(shape), html, scale: READABLE });
      }
    },
    show: (id) => {
      if (registry.get(id)) canvas.scrollToElement(id, 80);
    },
    fit,
    fittingHeight: () => {
      const { inner, outer } = canvas.viewbox();
      return inner.width ? inner.height * Math.min(LARGEST_FIT, outer.width / inner.width) + 2 * MARGIN : 0;
    },
    zoomBy: (factor) => void canvas.zoom(canvas.viewbox().scale * factor, "auto"),
    box: () => {
      const { x, y, width, height } = canvas.viewbox();
      return { x, y, width, height };
    },
    setBox: (box) => void canvas.viewbox(box),
    destroy: () => {
      resizing.disconnect();
      viewer.destroy();
    },
  };
}

// At the top of an event or a gateway, whose name is below it.
function placeOf({ height }: Shape): Record<string, number> {
  return height < SMALL ? { top: -12, right: 12 } : { top: -9, right: 20 };
}

// The flow node that an event is about: not the process around it, and the element of a label.
function elementOf(shape: Shape | undefined): string | null {
  if (!shape || /:(Process|Collaboration|Participant|Lane|SequenceFlow|BPMNDiagram)$/.test(shape.type)) return null;
  return shape.id.replace(/_label$/, "");
}
