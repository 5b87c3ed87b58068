import assert from "node:assert/strict";
import { test } from "node:test";
import { blockersIn } from "../src/screens/plan/blockers.ts";
import { instructionsText, mappingsOf, requestOf, selectionOf, withInstruction } from "../src/screens/plan/request.ts";

const ID = "3f2b8c1e-0c4d-4e7a-9b1a-5d6f7a8b9c0d";

test("an address without fields means all active instances", () => {
  const request = requestOf({});
  assert.deepEqual(selectionOf(request), { allActive: { except: [] } });
  assert.deepEqual(mappingsOf(request.instructions), []);
});

test("ids in an address select these instances, and none select nothing", () => {
  assert.deepEqual(selectionOf(requestOf({ ids: ID })), { instanceIds: [ID] });
  assert.equal(selectionOf(requestOf({ select: "ids" })), null);
});

test("conditions that are left out require nothing", () => {
  assert.deepEqual(selectionOf(requestOf({ select: "matching", versions: "3,x,1", limit: "no", except: ID })), {
    matching: { versions: [3, 1], elements: null, limit: null, except: [ID] },
  });
  assert.deepEqual(selectionOf(requestOf({ select: "matching", at: "Task", limit: "100" })), {
    matching: { versions: null, elements: ["Task"], limit: 100, except: [] },
  });
});

test("instructions in an address come back as they were", () => {
  const instructions = [
    { fromVersion: 3, source: "a>b;c%", target: "d:e" },
    { fromVersion: 1, source: "x", target: "y" },
  ];
  const request = requestOf({ map: instructionsText(instructions) });
  assert.deepEqual(request.instructions, instructions);
  assert.deepEqual(mappingsOf(request.instructions), [
    { fromVersion: 1, instructions: [{ source: "x", target: "y" }] },
    { fromVersion: 3, instructions: [{ source: "a>b;c%", target: "d:e" }] },
  ]);
  assert.deepEqual(requestOf({ map: "3:a;:b>c;3:%>d;nonsense" }).instructions, []);
});

test("an instruction replaces the one for its source, and an empty target removes it", () => {
  const first = withInstruction([], { fromVersion: 3, source: "a", target: "b" });
  const second = withInstruction(first, { fromVersion: 3, source: "a", target: "c" });
  assert.deepEqual(second, [{ fromVersion: 3, source: "a", target: "c" }]);
  assert.deepEqual(withInstruction(second, { fromVersion: 3, source: "a", target: "" }), []);
});

test("an element that keeps a group back counts it once, whatever it finds there", () => {
  const finding = { code: "TYPE_CHANGED" as const, source: "a", name: null, message: "" };
  const cohort = {
    count: 5,
    version: 2,
    status: "PENDING" as const,
    position: ["a"],
    decision: "SKIP" as const,
    toPosition: null,
    reasons: [
      {
        code: "INCOMPATIBLE" as const,
        message: "",
        findings: [finding, { ...finding, code: "SCOPE_CHANGED" as const }],
      },
    ],
    warnings: [],
  };
  assert.deepEqual([...(blockersIn([cohort, { ...cohort, count: 2 }]).get(2) ?? [])], [["a", 7]]);
});
