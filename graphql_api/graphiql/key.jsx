// Notices the key that is entered in the Headers tab, and keeps it there for as long as the page is open.
import { useEffect } from "react";
import { useGraphiQL } from "@graphiql/react";

export const HEADERS_WITHOUT_KEY = '{"Authorization": "Bearer "}';

const PAUSE_IN_TYPING_MS = 500;

export function KeyKeeper({ onKey }) {
  const editor = useGraphiQL((state) => state.headerEditor);
  useEffect(() => (editor ? keepKey(editor, onKey) : undefined), [editor, onKey]);
  return null;
}

function keepKey(editor, onKey) {
  let headersWithKey = null;
  let timer;
  const listener = editor.onDidChangeModelContent(({ isFlush }) => {
    const headers = editor.getValue();
    const key = keyIn(headers);
    clearTimeout(timer);
    if (key) {
      headersWithKey = headers;
      timer = setTimeout(onKey, PAUSE_IN_TYPING_MS, key);
    } else if (isFlush && headersWithKey) {
      // GraphiQL itself replaced the text (a new tab, an entry of the history), so nobody took the key out.
      queueMicrotask(() => editor.setValue(headersWithKey));
    }
  });
  return () => {
    clearTimeout(timer);
    listener.dispose();
  };
}

// A pattern and not JSON.parse, because GraphiQL allows comments and trailing commas in the headers.
function keyIn(headers) {
  return /"authorization"\s*:\s*"bearer\s+([^\s"]+)\s*"/i.exec(headers)?.[1];
}
