// The head of a screen: where it is, its title, and its actions. The title gets the focus after navigation.
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { t } from "../texts/index.ts";

export interface Crumb {
  text: string;
  href: string;
}

export function Headline({
  title,
  crumbs = [],
  below,
  actions,
}: {
  title: string;
  crumbs?: Crumb[];
  below?: ComponentChildren;
  actions?: ComponentChildren;
}) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${title} · ${t.common.product}`;
  }, [title]);
  useEffect(() => heading.current?.focus({ preventScroll: true }), []);
  return (
    <header class="headline">
      <div class="grow">
        {crumbs.length > 0 && (
          <ol class="crumbs">
            {crumbs.map(({ text, href }) => (
              <li key={href}>
                <a href={href}>{text}</a>
              </li>
            ))}
          </ol>
        )}
        <h1 tabIndex={-1} ref={heading}>
          {title}
        </h1>
        {below && <div class="quiet">{below}</div>}
      </div>
      {actions && <div class="actions">{actions}</div>}
    </header>
  );
}
