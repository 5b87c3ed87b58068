// Does long work in short pieces, so that the page answers between them.
const SLICE = 50;

// Acts on each item, a few at a time. Stops when it is over, and returns whether it came to the end.
export async function inSlices<Item>(
  items: Iterable<Item>,
  act: (item: Item) => void,
  isOver: () => boolean,
): Promise<boolean> {
  let done = 0;
  for (const item of items) {
    if (done > 0 && done % SLICE === 0) await nextFrame();
    if (isOver()) return false;
    act(item);
    done += 1;
  }
  return true;
}

// After the browser has shown what was done: a tab in the background shows nothing, and only waits for its turn.
function nextFrame(): Promise<void> {
  return new Promise((resolve) => {
    if (document.visibilityState === "hidden") setTimeout(resolve);
    else requestAnimationFrame(() => setTimeout(resolve));
  });
}
