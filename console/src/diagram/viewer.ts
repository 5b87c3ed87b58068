// Draws a BPMN document with bpmn-js. Loaded when a diagram is first shown.
import NavigatedViewer from "bpmn-js/lib/NavigatedViewer";
import { type Box, boxAround } from "./box.ts";
import { Labels, type ViewLabel } from "./labels.ts";
import { drawable } from "./layout.ts";
import { SlicedImporter } from "./sliced_importer.ts";

// The parts of diagram-js that are used here. Its own types are those of each service, which are found by name only.
interface Element extends Partial<Box> {
  id: string;
  type: string;
  collapsed?: boolean;
  hidden?: boolean;
  children?: Element[];
  waypoints?: { x: number; y: number }[];
}
interface Canvas {
  zoom(scale: number, center?: "auto"): number;
  viewbox(box?: Box): Box & { scale: number };
  getSize(): { width: number; height: number };
  addMarker(id: string, marker: string): void;
  removeMarker(id: string, marker: string): void;
  scrollToElement(id: string, padding?: number): void;
  getRootElement(): Element;
  findRoot(id: string): Element | undefined;
  getContainer(): HTMLElement;
  resized(): void;
}
interface Registry {
  get(id: string): Element | undefined;
}
interface Events {
  on(event: string, hear: (event: { element?: Element }) => void): void;
  fire(event: string): void;
}

export interface View {
  has: (elementId: string) => boolean;
  isCollapsed: (elementId: string) => boolean;
  setMarks: (marks: ReadonlyMap<string, string>) => void;
  setLabels: (labels: readonly ViewLabel[]) => void;
  show: (elementId: string) => void;
  // Where an element is in the window; null if it is not in sight.
  placeOf: (elementId: string) => Box | null;
  fit: () => void;
  zoomBy: (factor: number) => void;
  box: () => Box;
  setBox: (box: Box) => void;
  destroy: () => void;
}

const FONT = "system-ui, sans-serif"; // as in diagram.css: texts are measured with it
const LARGEST_FIT = 1.1;
const SMALLEST_FIT = 0.25; // a longer diagram is shown from its beginning, unless somebody asks for all of it
const MARGIN = 24;
const WITH_MARGIN = 0.93;

export interface Hearing {
  onClick: (elementId: string | null) => void;
  onHover: (elementId: string | null) => void;
  onMove: () => void;
  // The height at which the whole diagram fits the width of its place: heard before it is drawn.
  onHeight: (height: number) => void;
}

// Null if it is over before the diagram is drawn. Rejects if the document cannot be drawn.
export async function openView(
  container: HTMLElement,
  xml: string,
  hearing: Hearing,
  isOver: () => boolean,
): Promise<View | null> {
  const colours = { defaultFillColor: "var(--diagram-fill)", defaultStrokeColor: "var(--diagram-line)" };
  const viewer = new NavigatedViewer({
    container,
    bpmnRenderer: colours,
    textRenderer: { defaultStyle: { fontFamily: FONT }, externalStyle: { fontFamily: FONT } },
    additionalModules: [{ bpmnImporter: ["type", SlicedImporter] }],
  } as unknown as ConstructorParameters<typeof NavigatedViewer>[0]);
  const canvas = viewer.get<Canvas>("canvas");
  const events = viewer.get<Events>("eventBus");
  let planned: Box | null = null; // until all is drawn
  let fitted = "";
  let smallest = SMALLEST_FIT;
  const place = () => {
    const { x, y, scale } = canvas.viewbox();
    return `${x} ${y} ${scale}`;
  };
  const fit = () => {
    const extent = planned ?? extentOf(canvas.getRootElement());
    const outer = canvas.getSize();
    if (!extent || !outer.width || !outer.height) return; // empty, or out of the page by now
    canvas.viewbox(fitting(extent, outer, smallest));
    fitted = place();
  };
  const resizing = new ResizeObserver(() => {
    canvas.resized();
    if (planned || place() === fitted) fit(); // unless somebody has moved it
  });
  const destroy = () => {
    resizing.disconnect();
    viewer.destroy();
  };
  try {
    await viewer.importXML(await drawable(xml));
    const importer = viewer.get<SlicedImporter>("bpmnImporter");
    planned = importer.extentOf(canvas.getRootElement());
    resizing.observe(container);
    if (planned) hearing.onHeight(planned.height * scaleOf(planned, canvas.getSize().width) + 2 * MARGIN);
    fit();
    if (isOver() || !(await importer.drawAll(isOver))) {
      destroy();
      return null;
    }
    planned = null;
    events.fire("import.render.complete"); // subprocesses get their links, now that they are there
  } catch (error) {
    destroy();
    throw error;
  }
  events.on("element.click", ({ element }) => hearing.onClick(elementOf(element)));
  events.on("element.hover", ({ element }) => hearing.onHover(elementOf(element)));
  events.on("element.out", () => hearing.onHover(null));
  events.on("canvas.viewbox.changed", () => hearing.onMove());
  events.on("root.set", fit);
  fit();
  return {
    ...viewOf(viewer, canvas, new Labels(viewer, hearing.onClick)),
    fit: () => {
      smallest = 0;
      fit();
    },
    destroy,
  };
}

function viewOf(viewer: NavigatedViewer, canvas: Canvas, labels: Labels): Omit<View, "fit" | "destroy"> {
  const registry = viewer.get<Registry>("elementRegistry");
  let marked: ReadonlyMap<string, string> = new Map();
  const forEachWord = (id: string, names: string, act: (word: string) => void) => {
    if (registry.get(id)) for (const name of names.split(" ")) act(`is-${name}`);
  };
  const placeOf = (id: string): Box | null => {
    const { x, y, width, height } = registry.get(id) ?? {};
    if (x === undefined || y === undefined || canvas.findRoot(id) !== canvas.getRootElement()) return null;
    const [seen, place] = [canvas.viewbox(), canvas.getContainer().getBoundingClientRect()];
    const box = {
      x: place.x + (x - seen.x) * seen.scale,
      y: place.y + (y - seen.y) * seen.scale,
      width: (width ?? 0) * seen.scale,
      height: (height ?? 0) * seen.scale,
    };
    return isInside(box, place) ? box : null;
  };
  return {
    has: (id) => registry.get(id) !== undefined,
    isCollapsed: (id) => registry.get(id)?.collapsed === true,
    setMarks: (marks) => {
      for (const [id, names] of marked)
        if (marks.get(id) !== names) forEachWord(id, names, (word) => canvas.removeMarker(id, word));
      for (const [id, names] of marks)
        if (marked.get(id) !== names) forEachWord(id, names, (word) => canvas.addMarker(id, word));
      marked = marks;
    },
    setLabels: (wanted) => void labels.set(wanted),
    show: (id) => {
      if (registry.get(id) && !placeOf(id)) canvas.scrollToElement(id, 80);
    },
    placeOf,
    zoomBy: (factor) => void canvas.zoom(canvas.viewbox().scale * factor, "auto"),
    box: () => {
      const { x, y, width, height } = canvas.viewbox();
      return { x, y, width, height };
    },
    setBox: (box) => void canvas.viewbox(box),
  };
}

// Whether the middle of a box is inside of a place.
function isInside({ x, y, width, height }: Box, place: Box): boolean {
  const [right, down] = [x + width / 2 - place.x, y + height / 2 - place.y];
  return right >= 0 && down >= 0 && right <= place.width && down <= place.height;
}

// The box around what stands on a plane. It is calculated: to measure what is drawn, the browser lays all of it out.
function extentOf({ children = [] }: Element): Box | null {
  const shown = children.filter(({ hidden }) => !hidden);
  return boxAround(
    shown.flatMap(({ x, y, width, height, waypoints = [] }) => [
      ...(x === undefined || y === undefined ? [] : [{ x, y, width: width ?? 0, height: height ?? 0 }]),
      ...waypoints.map((point) => ({ ...point, width: 0, height: 0 })),
    ]),
  );
}

const scaleOf = ({ width }: Box, outer: number): number => Math.min(LARGEST_FIT, outer / Math.max(1, width));

// What to show of the plane so that this box is in the middle, with a margin around it; or else its beginning.
function fitting({ x, y, width, height }: Box, outer: { width: number; height: number }, smallest: number): Box {
  const whole = Math.min(outer.width / Math.max(1, width), outer.height / Math.max(1, height)) * WITH_MARGIN;
  const scale = Math.min(LARGEST_FIT, Math.max(smallest, whole));
  const [across, down] = [outer.width / scale, outer.height / scale];
  const margin = MARGIN / scale;
  return {
    x: across < width ? x - margin : x + (width - across) / 2,
    y: down < height ? y - margin : y + (height - down) / 2,
    width: across,
    height: down,
  };
}

// The flow node that an event is about: not the process around it, and the element of a label.
function elementOf(shape: Element | undefined): string | null {
  if (!shape || /:(Process|Collaboration|Participant|Lane|SequenceFlow|BPMNDiagram)$/.test(shape.type)) return null;
  return shape.id.replace(/_label$/, "");
}
