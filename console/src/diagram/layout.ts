// Gives a BPMN document a diagram if it has none. The layout is made in a worker, and kept for the documents shown last.
import type { Layout } from "./layout_worker.ts";

const TIMEOUT_MS = 15_000;
const KEPT_CHARACTERS = 8_000_000;

const kept = new Map<string, Promise<string>>();

// The document with a diagram. Rejects if it cannot be laid out.
export function drawable(xml: string): Promise<string> {
  if (hasDiagram(xml)) return Promise.resolve(xml);
  const known = kept.get(xml);
  if (known) return known;
  const layout = laidOut(xml);
  kept.set(xml, layout);
  layout.catch(() => kept.delete(xml));
  let characters = 0;
  for (const text of [...kept.keys()].reverse()) {
    characters += text.length;
    if (characters > KEPT_CHARACTERS && text !== xml) kept.delete(text);
  }
  return layout;
}

export function hasDiagram(xml: string): boolean {
  return /<(?:\w[\w.-]*:)?BPMNPlane[\s>]/.test(xml) && /<(?:\w[\w.-]*:)?BPMNShape[\s/>]/.test(xml);
}

async function laidOut(xml: string): Promise<string> {
  const { address } = await import("./layout_worker.ts");
  return new Promise((resolve, reject) => {
    const worker = new Worker(address, { type: "module" });
    const timer = setTimeout(() => end(() => reject(new Error("the layout took too long"))), TIMEOUT_MS);
    const end = (settle: () => void) => {
      clearTimeout(timer);
      worker.terminate();
      settle();
    };
    worker.onmessage = ({ data }: MessageEvent<Layout>) =>
      end(() => ("xml" in data ? resolve(data.xml) : reject(new Error(data.error))));
    worker.onerror = (event) => end(() => reject(new Error(event.message || "the layout could not be started")));
    worker.postMessage(xml);
  });
}
