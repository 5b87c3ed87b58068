// A table whose rows become blocks on a narrow screen, and its pages.
import type { ComponentChildren } from "preact";
import { changeSearch } from "../routes.ts";
import { t } from "../texts/index.ts";
import { Icon } from "./icon.tsx";

export interface Column<Row> {
  title: string;
  cell: (row: Row) => ComponentChildren;
  isNumber?: boolean;
  // The cell that names the row; it is first, and stands above the others on a narrow screen.
  isMain?: boolean;
}

export interface TableProps<Row> {
  caption: string;
  columns: Column<Row>[];
  rows: readonly Row[];
  keyOf: (row: Row) => string;
  isDimmed?: boolean;
  isSelected?: (row: Row) => boolean;
  onPoint?: (row: Row | null) => void;
}

export function Table<Row>(props: TableProps<Row>) {
  const { caption, columns, rows, keyOf, isDimmed, isSelected, onPoint } = props;
  // The roles are those that the elements have, until the style sheet shows rows as blocks.
  return (
    <table class={`table folds ${isDimmed ? "dimmed" : ""}`} role="table" aria-busy={isDimmed}>
      <caption class="unseen">{caption}</caption>
      <thead role="rowgroup">
        <tr role="row">
          {columns.map(({ title, isNumber }) => (
            <th key={title} role="columnheader" scope="col" class={isNumber ? "end" : ""}>
              {title}
            </th>
          ))}
        </tr>
      </thead>
      <tbody role="rowgroup">
        {rows.map((row) => (
          <tr
            key={keyOf(row)}
            role="row"
            aria-selected={isSelected?.(row) || undefined}
            onMouseEnter={onPoint && (() => onPoint(row))}
            onMouseLeave={onPoint && (() => onPoint(null))}
          >
            {columns.map(({ title, cell, isNumber, isMain }) => (
              <td
                key={title}
                role="cell"
                data-label={title}
                class={`${isNumber ? "end" : ""} ${isMain ? "main-cell" : ""}`}
              >
                {cell(row)}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

// The way back from a page to the one before it; after a reload only the first page is known.
const pageBefore = new Map<string, string>();

// Links between pages. The cursor of a page is in the address as `after`.
export function Paging({
  after,
  info,
  summary,
}: {
  after: string | undefined;
  info: { hasNextPage: boolean; endCursor: string | null };
  summary?: ComponentChildren;
}) {
  const next = info.hasNextPage ? info.endCursor : null;
  const show = (cursor: string) => {
    changeSearch({ after: cursor }, { replace: false });
    window.scrollTo({ top: 0 });
  };
  if (!after && !next) return summary ? <div class="paging quiet small">{summary}</div> : null;
  return (
    <nav class="paging" aria-label={t.common.pages}>
      <span class="quiet small">{summary}</span>
      <span class="row">
        <button
          type="button"
          class="button small"
          disabled={!after}
          onClick={() => show(pageBefore.get(after ?? "") ?? "")}
        >
          <Icon name="left" /> {t.common.previous}
        </button>
        <button
          type="button"
          class="button small"
          disabled={!next}
          onClick={() => {
            if (!next) return;
            pageBefore.set(next, after ?? "");
            show(next);
          }}
        >
          {t.common.next} <Icon name="right" />
        </button>
      </span>
    </nav>
  );
}
