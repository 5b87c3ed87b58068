// Renders a component again when a window event says that a value outside of it changed.
import { useEffect, useState } from "preact/hooks";

export function useEventValue<T>(event: string, read: () => T): T {
  const [value, setValue] = useState(read);
  useEffect(() => {
    const update = () => setValue(() => read());
    update(); // it may have changed between the first rendering and now
    window.addEventListener(event, update);
    return () => window.removeEventListener(event, update);
  }, [event]);
  return value;
}
