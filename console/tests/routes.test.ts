import assert from "node:assert/strict";
import { test } from "node:test";
import { href, placeOf } from "../src/routes.ts";

test("an address leads back to what it was made of", () => {
  const address = href("process", { namespace: "a/b", code: "ü %?#" }, { tab: "instances", at: "Task & more" });
  assert.deepEqual(placeOf(address), {
    name: "process",
    params: { namespace: "a/b", code: "ü %?#" },
    search: { tab: "instances", at: "Task & more" },
  });
});

test("an empty address is the processes, an unknown one is nothing", () => {
  for (const hash of ["", "#", "#/"]) assert.equal(placeOf(hash).name, "processes");
  const unknown = ["#/nowhere", "#/upgrades/1/2/3", "#/processes/a", "#/instances/%"];
  for (const hash of unknown) assert.equal(placeOf(hash).name, null);
});

test("empty search fields are left out", () => {
  assert.equal(href("upgrades", {}, { show: "", after: "" }), "#/upgrades");
});
