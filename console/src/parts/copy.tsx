// Copies a text to the clipboard.
import { t } from "../texts/index.ts";
import { announce } from "./announce.tsx";

export function CopyButton({ text, children }: { text: string; children: string }) {
  const copy = async () => announce((await copied(text)) ? t.common.copied : t.common.notCopied);
  return (
    <button type="button" class="button small" onClick={() => void copy()}>
      {children}
    </button>
  );
}

async function copied(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copiedFromField(text); // without TLS a browser offers no clipboard
  }
}

function copiedFromField(text: string): boolean {
  const field = document.createElement("textarea");
  const focused = document.activeElement;
  field.value = text;
  document.body.append(field);
  field.select();
  const isCopied = document.execCommand("copy");
  field.remove();
  if (focused instanceof HTMLElement) focused.focus();
  return isCopied;
}
