// Texts of diagrams.
export const diagram = {
  label: (title: string) => `Diagram: ${title}. The list beside it says the same.`,
  zoomIn: "Enlarge",
  zoomOut: "Reduce",
  fit: "Show the whole diagram",
  notDrawn: "This diagram cannot be drawn.",
  notDrawnHint: "The table has everything that it would show.",
  elementsNotDrawn: (names: string) => `Not in the diagram: ${names}.`,
  waitingAt: (instances: string, element: string) => `${instances} at ${element}`,
  waitingInside: (instances: string, element: string) => `${instances} inside of ${element}`,
  inside: (number: string) => `${number} inside`,
  legendWaiting: "waiting here",
  legendZoom: "Ctrl and the wheel enlarge; drag to move.",
  legendInside: "inside of the subprocess",
};
