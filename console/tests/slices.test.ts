import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { boxAround } from "../src/diagram/box.ts";
import { inSlices } from "../src/diagram/slices.ts";

const SLICE = 50;
const items = Array.from({ length: 2 * SLICE + 1 }, (_, index) => index);
let frames = 0;

beforeEach(() => {
  frames = 0;
  globalThis.requestAnimationFrame = (act) => {
    frames += 1;
    act(0);
    return 0;
  };
});

test("all items are done in order, with a frame after each slice", async () => {
  const done: number[] = [];
  assert.equal(
    await inSlices(
      items,
      (item) => done.push(item),
      () => false,
    ),
    true,
  );
  assert.deepEqual(done, items);
  assert.equal(frames, 2);
});

test("nothing more is done when it is over", async () => {
  let done = 0;
  const isComplete = await inSlices(
    items,
    () => (done += 1),
    () => frames > 0,
  );
  assert.equal(isComplete, false);
  assert.equal(done, SLICE);
});

test("the smallest box goes around all boxes", () => {
  const boxes = [
    { x: 10, y: -5, width: 30, height: 10 },
    { x: -20, y: 0, width: 10, height: 40 },
  ];
  assert.deepEqual(boxAround(boxes), { x: -20, y: -5, width: 60, height: 45 });
  assert.equal(boxAround([]), null);
});
