import type { Catalogue } from "../index.ts";

export const diagram: Catalogue["diagram"] = {
  label: (title) => `Diagramm: ${title}. Die Liste daneben sagt dasselbe.`,
  zoomIn: "Vergrößern",
  zoomOut: "Verkleinern",
  fit: "Ganzes Diagramm zeigen",
  notDrawn: "Dieses Diagramm lässt sich nicht zeichnen.",
  notDrawnHint: "Die Tabelle enthält alles, was es zeigen würde.",
  elementsNotDrawn: (names) => `Nicht im Diagramm: ${names}.`,
  waitingAt: (instances, element) => `${instances} bei ${element}`,
  waitingInside: (instances, element) => `${instances} innerhalb von ${element}`,
  inside: (number) => `${number} innen`,
  legendWaiting: "warten hier",
  legendZoom: "Strg und Mausrad vergrößern; ziehen verschiebt.",
  legendInside: "im Teilprozess",
};
