// Lays out a BPMN document that has no diagram, beside the page's own thread.
import { layoutProcess } from "bpmn-auto-layout";

export type Layout = { xml: string } | { error: string };

self.onmessage = async ({ data }: MessageEvent<string>) => {
  let layout: Layout;
  try {
    layout = { xml: await layoutProcess(data) };
  } catch (error) {
    layout = { error: error instanceof Error ? error.message : String(error) };
  }
  self.postMessage(layout);
};
