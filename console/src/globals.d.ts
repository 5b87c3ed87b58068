// Packages without types, and what the build puts in.
declare module "*.css";
declare module "bpmn-auto-layout" {
  export function layoutProcess(xml: string): Promise<string>;
}
declare const LAYOUT_WORKER: string;
