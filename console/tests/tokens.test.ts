import assert from "node:assert/strict";
import { test } from "node:test";
import { hasDiagram } from "../src/diagram/layout.ts";
import { labelsFor, notDrawn } from "../src/diagram/tokens.ts";

const elements = [
  { elementId: "Outer", scope: null },
  { elementId: "Inner", scope: "Outer" },
  { elementId: "Task", scope: "Inner" },
  { elementId: "Other", scope: "Outer" },
  { elementId: "Alone", scope: null },
];
const tokens = [
  { elementId: "Task", pending: 3, running: 1 },
  { elementId: "Other", pending: 2, running: 0 },
  { elementId: "Alone", pending: 5, running: 0 },
];

test("sums what waits inside of a collapsed subprocess at each subprocess around it", () => {
  const labels = labelsFor(tokens, elements, (id) => id === "Outer" || id === "Inner");
  const inside = labels.filter(({ isInside }) => isInside);
  assert.deepEqual(
    inside.map(({ elementId, pending, running }) => [elementId, pending, running]),
    [
      ["Inner", 3, 1],
      ["Outer", 5, 1],
    ],
  );
  const own = labels.filter(({ isInside }) => !isInside);
  assert.deepEqual(
    own.map(({ elementId }) => elementId),
    ["Task", "Other", "Alone"],
  );
});

test("sums nothing at a subprocess that shows what is in it", () => {
  assert.deepEqual(
    labelsFor(tokens, elements, () => false).map(({ isInside }) => isInside),
    [false, false, false],
  );
});

test("a circle of scopes in a document ends", () => {
  const circle = [
    { elementId: "A", scope: "B" },
    { elementId: "B", scope: "A" },
  ];
  assert.equal(labelsFor([{ elementId: "A", pending: 1, running: 0 }], circle, () => true).length, 3);
});

test("shows no label without instances, and names elements that are not drawn", () => {
  assert.deepEqual(
    labelsFor([{ elementId: "Task", pending: 0, running: 0 }], elements, () => false),
    [],
  );
  assert.deepEqual(
    notDrawn(tokens, (id) => id !== "Other"),
    ["Other"],
  );
});

test("a document has a diagram when it draws a shape", () => {
  assert.equal(hasDiagram("<bpmndi:BPMNPlane id='p'><bpmndi:BPMNShape id='s' /></bpmndi:BPMNPlane>"), true);
  assert.equal(hasDiagram("<BPMNPlane><BPMNShape/></BPMNPlane>"), true);
  assert.equal(hasDiagram("<bpmndi:BPMNPlane id='p'></bpmndi:BPMNPlane>"), false);
  assert.equal(hasDiagram("<process id='p' name='BPMNShape'/>"), false);
});
