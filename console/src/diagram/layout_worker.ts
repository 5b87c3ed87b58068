// Lays out a BPMN document that has no diagram, beside the page's own thread.
import { layoutProcess } from "bpmn-auto-layout";

export type Layout = { xml: string } | { error: string };

// The page loads this module, too, to learn where the build has put it. So both share the chunk that reads BPMN.
export const address = import.meta.url;

if (typeof document === "undefined") self.onmessage = ({ data }: MessageEvent<string>) => void layOut(data);

async function layOut(document: string): Promise<void> {
  let layout: Layout;
  try {
    layout = { xml: await layoutProcess(document) };
  } catch (error) {
    layout = { error: error instanceof Error ? error.message : String(error) };
  }
  self.postMessage(layout);
}
