// All processes: how many instances are active, how many of them are behind, and the last upgrade.
import { useEffect, useRef, useState } from "preact/hooks";
import {
  ProcessCountsDocument,
  type ProcessCountsQuery,
  ProcessesDocument,
  type ProcessesQuery,
} from "../api/operations.ts";
import { useQuery } from "../api/use_query.ts";
import { Badge, StateBadge } from "../parts/badges.tsx";
import { Bar } from "../parts/bar.tsx";
import { Headline } from "../parts/headline.tsx";
import { Loaded, Vacant } from "../parts/states.tsx";
import { type Column, Paging, Table } from "../parts/table.tsx";
import { useKeys } from "../parts/use_keys.ts";
import { changeSearch, href, type ScreenProps } from "../routes.ts";
import { ago, number } from "../texts/format.ts";
import { t } from "../texts/index.ts";

type Process = ProcessesQuery["processes"]["nodes"][number];
type Counts = ProcessCountsQuery["processes"]["nodes"][number];
type Order = "NAME" | "TITLE" | "CREATED";

const ORDERS: Order[] = ["TITLE", "NAME", "CREATED"];
const PAGE = 50;
const EVERY_MS = 10_000;

export function Processes({ search }: ScreenProps<"processes">) {
  const orderBy = ORDERS.find((order) => order === search["order"]) ?? "TITLE";
  const wanted = { search: search["search"] ?? null, orderBy, first: PAGE, after: search["after"] ?? null };
  const names = useQuery(ProcessesDocument, wanted, { keep: true });
  const counts = useQuery(ProcessCountsDocument, wanted, { every: EVERY_MS });
  const countsOf = new Map(counts.data?.processes.nodes.map((process) => [process.id, process]));
  return (
    <div class="stack">
      <Headline
        title={t.browse.processes.title}
        actions={<Filters text={search["search"] ?? ""} orderBy={orderBy} />}
      />
      <Loaded query={names}>
        {({ processes }) =>
          processes.nodes.length === 0 ? (
            <NoProcess search={search["search"]} />
          ) : (
            <div class="card">
              <Table
                caption={t.browse.processes.title}
                columns={columns(countsOf)}
                rows={processes.nodes}
                keyOf={({ id }) => id}
                isDimmed={names.isLoading && names.at === null}
              />
              <Paging
                after={search["after"]}
                info={processes.pageInfo}
                summary={t.browse.processes.found(processes.totalCount)}
              />
            </div>
          )
        }
      </Loaded>
    </div>
  );
}

function columns(countsOf: Map<string, Counts>): Column<Process>[] {
  const texts = t.browse.processes;
  return [
    { title: texts.process, isMain: true, cell: (process) => <Name process={process} /> },
    { title: texts.latest, cell: (process) => <Versions process={process} /> },
    {
      title: texts.active,
      isNumber: true,
      cell: ({ id }) => <Counted counts={countsOf.get(id)}>{({ activeCount }) => number(activeCount)}</Counted>,
    },
    {
      title: texts.outdated,
      cell: ({ id }) => <Counted counts={countsOf.get(id)}>{(counts) => <Outdated counts={counts} />}</Counted>,
    },
    {
      title: texts.lastUpgrade,
      cell: ({ id }) => <Counted counts={countsOf.get(id)}>{(counts) => <LastUpgrade counts={counts} />}</Counted>,
    },
  ];
}

function Name({ process }: { process: Process }) {
  const { namespace, code, title } = process;
  return (
    <>
      <a href={href("process", { namespace, code })}>{title}</a>
      <div class="sub mono">
        {namespace}/{code}
      </div>
    </>
  );
}

function Versions({ process }: { process: Process }) {
  const { latestPublishedVersion: latest, draft } = process;
  return (
    <span class="row" style={{ "--gap": 1.5 }}>
      {latest ? (
        <span class="number">{latest.number}</span>
      ) : (
        <span class="quiet">{t.browse.processes.unpublished}</span>
      )}
      {draft && <Badge tone="warn">{t.browse.processes.draft(draft.number)}</Badge>}
    </span>
  );
}

function Outdated({ counts: { activeCount, outdatedCount } }: { counts: Counts }) {
  if (outdatedCount === 0) return <span class="quiet">{activeCount ? t.browse.processes.allUpToDate : "–"}</span>;
  return (
    <span class="measured">
      <span class="number">{number(outdatedCount)}</span>
      <Bar
        parts={[{ value: outdatedCount, tone: "warn" }]}
        whole={activeCount}
        label={t.browse.processes.outdatedOf(outdatedCount, activeCount)}
      />
    </span>
  );
}

function LastUpgrade({ counts: { lastUpgrade } }: { counts: Counts }) {
  if (!lastUpgrade) return <span class="quiet">{t.browse.processes.never}</span>;
  return (
    <span class="row" style={{ "--gap": 2 }}>
      <a href={href("upgrade", { id: lastUpgrade.id })}>
        <StateBadge state={lastUpgrade.state} />
      </a>
      <span class="quiet small">{ago(lastUpgrade.requestedAt)}</span>
    </span>
  );
}

function Counted({
  counts,
  children,
}: {
  counts: Counts | undefined;
  children: (counts: Counts) => preact.ComponentChildren;
}) {
  return counts ? <>{children(counts)}</> : <span class="skeleton short" />;
}

function Filters({ text, orderBy }: { text: string; orderBy: Order }) {
  const texts = t.browse.processes;
  const field = useRef<HTMLInputElement>(null);
  const [typed, setTyped] = useState(text);
  useKeys({ "/": () => field.current?.focus() });
  useEffect(() => setTyped(text), [text]);
  useEffect(() => {
    if (typed === text) return;
    const timer = setTimeout(() => changeSearch({ search: typed.trim(), after: "" }), 250);
    return () => clearTimeout(timer);
  }, [typed]);
  return (
    <>
      <input
        ref={field}
        type="search"
        class="input search"
        placeholder={texts.search}
        aria-label={texts.search}
        value={typed}
        onInput={(event) => setTyped(event.currentTarget.value)}
      />
      <select
        class="input order"
        aria-label={texts.order}
        value={orderBy}
        onChange={(event) => changeSearch({ order: event.currentTarget.value, after: "" })}
      >
        {ORDERS.map((order) => (
          <option key={order} value={order}>
            {t.codes.order[order]}
          </option>
        ))}
      </select>
    </>
  );
}

function NoProcess({ search }: { search: string | undefined }) {
  const texts = t.browse.processes;
  if (search) {
    return (
      <Vacant title={texts.noneFound(search)}>
        <p>{texts.noneFoundHint}</p>
        <p>
          <a href={href("processes", {})}>{texts.clear}</a>
        </p>
      </Vacant>
    );
  }
  return (
    <Vacant title={texts.empty}>
      <p>{texts.emptyHint}</p>
      <p>
        <code>uplift import processes.jsonl</code>
      </p>
    </Vacant>
  );
}
