// A modal dialog: the browser keeps the focus in it, closes it by Escape, and gives the focus back.
import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";

export function Dialog({
  title,
  onClose,
  children,
  isBare = false,
}: {
  title: string;
  onClose: () => void;
  children: ComponentChildren;
  // Draws no title: it names the dialog for screen readers only.
  isBare?: boolean;
}) {
  const element = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const dialog = element.current;
    const before = document.activeElement;
    dialog?.showModal();
    return () => {
      dialog?.close();
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  return (
    <dialog
      class="dialog"
      ref={element}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault(); // the owner closes it
        onClose();
      }}
      onClick={(event) => {
        if (event.target === element.current) onClose(); // beside the content: its backdrop
      }}
    >
      <div class={isBare ? "" : "stack"}>
        <h2 id={id} class={isBare ? "unseen" : ""}>
          {title}
        </h2>
        {children}
      </div>
    </dialog>
  );
}
