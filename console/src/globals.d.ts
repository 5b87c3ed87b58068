// Packages and files without types.
declare module "*.css";
declare module "bpmn-auto-layout" {
  export function layoutProcess(xml: string): Promise<string>;
}
