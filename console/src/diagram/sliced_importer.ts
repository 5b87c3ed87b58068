// Imports a document into a viewer of bpmn-js in slices. Its own importer draws a thousand elements in one long task.
import BpmnImporter from "bpmn-js/lib/import/BpmnImporter";
import { type Box, boxAround } from "./box.ts";
import { inSlices } from "./slices.ts";

type Parts = Parameters<BpmnImporter["add"]>;
type Drawn = ReturnType<BpmnImporter["add"]>;

interface Waiting {
  element: Parts[0];
  di: Parts[1];
  // What `add` returned for the element around it.
  parent: Parts[2];
}

// bpmn-js walks the document and calls `add` for each element. This one only keeps the calls, and repeats them later.
export class SlicedImporter extends BpmnImporter {
  static override $inject = BpmnImporter.$inject;
  private readonly waiting = new Map<object, Waiting>();

  override add(element: Parts[0], di: Parts[1], parent: Parts[2]): Drawn {
    if (di.$type === "bpmndi:BPMNPlane") return super.add(element, di, parent); // draws nothing, and others need it
    const token = {} as Drawn;
    this.waiting.set(token, { element, di, parent });
    return token;
  }

  // The box around the shapes that stand in the plane itself. They are where `drawAll` will draw them.
  extentOf(plane: unknown): Box | null {
    const boxes = [...this.waiting.values()].flatMap(({ di, parent }) =>
      (parent as unknown) === plane && di.bounds ? [di.bounds as Box] : [],
    );
    return boxAround(boxes);
  }

  // Returns whether it came to the end.
  async drawAll(isOver: () => boolean): Promise<boolean> {
    const drawn = new Map<object, Drawn>();
    // Around what could not be drawn, it is what is around that.
    const drawnParent = (parent: Parts[2]): Parts[2] => {
      const kept = this.waiting.get(parent);
      return kept ? ((drawn.get(parent) as Parts[2] | undefined) ?? drawnParent(kept.parent)) : parent;
    };
    const draw = ([token, { element, di, parent }]: [object, Waiting]) => {
      try {
        drawn.set(token, super.add(element, di, drawnParent(parent)));
      } catch (error) {
        // As bpmn-js: what cannot be drawn is left out, such as a flow to an element without a shape.
        console.warn(`${String(element.id)} is not drawn`, error);
      }
    };
    const isComplete = await inSlices(this.waiting, draw, isOver);
    this.waiting.clear();
    return isComplete;
  }
}
