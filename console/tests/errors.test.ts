import assert from "node:assert/strict";
import { test } from "node:test";
import { type Failure, kindOf } from "../src/api/errors.ts";
import { pauseBefore } from "../src/api/pauses.ts";

const failure = (values: Partial<Failure>): Failure => ({
  kind: "offline",
  code: null,
  message: "",
  requestId: null,
  retryAfter: null,
  ...values,
});

test("the kind of a failure comes from its code, its status, or that nothing answered", () => {
  assert.equal(kindOf("UNAUTHENTICATED", 200, true), "unauthenticated");
  assert.equal(kindOf(null, 401, false), "unauthenticated");
  assert.equal(kindOf("RATE_LIMITED", 429, true), "rateLimited");
  assert.equal(kindOf("STORE_UNAVAILABLE", 503, true), "unavailable");
  assert.equal(kindOf(null, 502, false), "offline");
  assert.equal(kindOf(null, undefined, false), "offline");
  assert.equal(kindOf(null, 200, false), "notJson");
  assert.equal(kindOf("NODE_LIMIT_EXCEEDED", 400, true), "unexpected");
});

test("a passing failure is tried again, later each time, and never before the gateway wants it", () => {
  assert.equal(pauseBefore(failure({}), 1, undefined, false), 2_000);
  assert.equal(pauseBefore(failure({}), 3, undefined, false), 8_000);
  assert.equal(pauseBefore(failure({}), 30, 5_000, false), 30_000);
  assert.equal(pauseBefore(failure({ kind: "rateLimited", retryAfter: 41 }), 1, 5_000, false), 41_000);
  assert.equal(pauseBefore(failure({ kind: "forbidden" }), 1, 5_000, false), null);
});

test("polling is stretched while events come", () => {
  assert.equal(pauseBefore(null, 0, 5_000, false), 5_000);
  assert.equal(pauseBefore(null, 0, 5_000, true), 50_000);
  assert.equal(pauseBefore(null, 0, undefined, true), null);
});
