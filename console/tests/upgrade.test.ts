import assert from "node:assert/strict";
import { test } from "node:test";
import { reasonsAt } from "../src/screens/upgrade/reasons_at.ts";

type Reason = Parameters<typeof reasonsAt>[0][number]["reasons"][number];

function reason(code: string, ...findings: [string, string][]): Reason {
  return {
    code: code as Reason["code"],
    message: `Expected ${code}`,
    findings: findings.map(([found, source]) => ({ code: found as "TYPE_CHANGED", source })),
  };
}

test("reasons are counted with what was found at the element, the most frequent first", () => {
  const changed = reason("INCOMPATIBLE", ["TYPE_CHANGED", "here"], ["ELEMENT_MISSING", "elsewhere"]);
  const outcomes = [{ reasons: [reason("NOT_PENDING")] }, { reasons: [changed] }, { reasons: [changed] }];
  assert.deepEqual(reasonsAt(outcomes, "here"), [
    { code: "INCOMPATIBLE", findings: ["TYPE_CHANGED"], count: 2, message: "Expected INCOMPATIBLE" },
    { code: "NOT_PENDING", findings: [], count: 1, message: "Expected NOT_PENDING" },
  ]);
});

test("an instance with several reasons counts for each of them", () => {
  const outcomes = [{ reasons: [reason("NOT_PENDING"), reason("ALREADY_LATEST")] }];
  assert.deepEqual(
    reasonsAt(outcomes, "here").map(({ code, count }) => [code, count]),
    [
      ["NOT_PENDING", 1],
      ["ALREADY_LATEST", 1],
    ],
  );
  assert.deepEqual(reasonsAt([], "here"), []);
});
