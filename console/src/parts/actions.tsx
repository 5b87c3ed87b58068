// Buttons that change something: a key that may only read sees them, and why it cannot use them.
import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";
import { t } from "../texts/index.ts";
import { useViewer } from "../viewer.ts";

export interface ActionProps {
  children: ComponentChildren;
  kind?: "primary" | "danger" | "";
  onClick?: () => void;
  // Leads there instead of calling onClick.
  href?: string;
  // Why nobody can do this now; null if one can.
  blocked?: string | null;
  isBusy?: boolean;
  // Plans, for example, may be made with every key.
  isOpenToReaders?: boolean;
}

export function Action({ children, kind = "", onClick, href, blocked, isBusy, isOpenToReaders }: ActionProps) {
  const { role } = useViewer();
  const id = useId();
  const reason = blocked ?? (role === "SYSTEM_ADMIN" || isOpenToReaders ? null : t.common.needsAdmin);
  const style = `button ${kind}`;
  if (!reason && href) {
    return (
      <a class={style} href={href}>
        {children}
      </a>
    );
  }
  // aria-disabled and not disabled: the button keeps its place in the tab order, and its reason can be read.
  return (
    <>
      <button
        type="button"
        class={style}
        aria-disabled={Boolean(reason) || isBusy || undefined}
        aria-describedby={reason ? id : undefined}
        title={reason ?? undefined}
        onClick={() => {
          if (!reason && !isBusy) onClick?.();
        }}
      >
        {children}
      </button>
      {reason && (
        <span id={id} class="unseen">
          {reason}
        </span>
      )}
    </>
  );
}
