// Labels at the elements of a diagram. They follow what is wanted by their differences: numbers change every second.
import type NavigatedViewer from "bpmn-js/lib/NavigatedViewer";
import { inSlices } from "./slices.ts";

export interface ViewLabel {
  elementId: string;
  text: string;
  // The same in a sentence.
  title: string;
  tone: string;
}

interface Overlays {
  add(id: string, overlay: { position: Record<string, number>; html: HTMLElement; scale: object }): string;
  remove(overlayId: string): void;
}
interface Registry {
  get(id: string): { height: number } | undefined;
}
interface Shown {
  overlayId: string;
  html: HTMLElement;
}

const READABLE = { min: 0.85, max: 1.3 }; // however far away the diagram is
const SMALL = 60;

export class Labels {
  private readonly overlays: Overlays;
  private readonly registry: Registry;
  private readonly shown = new Map<string, Shown>();
  private turn = 0;

  constructor(
    viewer: NavigatedViewer,
    private readonly onClick: (elementId: string) => void,
  ) {
    this.overlays = viewer.get<Overlays>("overlays");
    this.registry = viewer.get<Registry>("elementRegistry");
    viewer.on("diagram.destroy", () => (this.turn += 1));
  }

  // Shows these labels and no others. A later call ends this one.
  async set(labels: readonly ViewLabel[]): Promise<void> {
    const turn = ++this.turn;
    const wanted = new Map(labels.map((label) => [`${label.tone} ${label.elementId}`, label]));
    for (const [key, { overlayId }] of this.shown) {
      if (wanted.has(key)) continue;
      this.overlays.remove(overlayId);
      this.shown.delete(key);
    }
    await inSlices(
      wanted,
      ([key, label]) => this.show(key, label),
      () => turn !== this.turn,
    );
  }

  private show(key: string, { elementId, text, title, tone }: ViewLabel): void {
    const known = this.shown.get(key);
    const shape = this.registry.get(elementId);
    if (!shape) return;
    const html = known?.html ?? document.createElement("span");
    if (html.textContent !== text) html.textContent = text;
    html.title = title;
    if (known) return;
    html.className = `diagram-count ${tone}`;
    html.onclick = () => this.onClick(elementId);
    const overlayId = this.overlays.add(elementId, { position: placeOf(shape), html, scale: READABLE });
    this.shown.set(key, { overlayId, html });
  }
}

// At the top of an event or a gateway, whose name is below it.
function placeOf({ height }: { height: number }): Record<string, number> {
  return height < SMALL ? { top: -12, right: 12 } : { top: -9, right: 20 };
}
