// All upgrades, the newest first, of all processes: their state, what they did, who asked for them and why.
import { UpgradesChangedDocument, UpgradesDocument, type UpgradesQuery, type UpgradeState } from "../api/operations.ts";
import { useQuery } from "../api/use_query.ts";
import { StateBadge } from "../parts/badges.tsx";
import { Bar } from "../parts/bar.tsx";
import { Headline } from "../parts/headline.tsx";
import { Loaded, Vacant } from "../parts/states.tsx";
import { type Column, Paging, Table } from "../parts/table.tsx";
import { changeSearch, href, type ScreenProps } from "../routes.ts";
import { ago, dateTime, number } from "../texts/format.ts";
import { t } from "../texts/index.ts";

export type ListedUpgrade = UpgradesQuery["upgrades"]["nodes"][number];

const GROUPS: Record<string, UpgradeState[]> = {
  unfinished: ["QUEUED", "RUNNING", "PAUSED"],
  completed: ["COMPLETED"],
  stopped: ["CANCELLED", "FAILED"],
};
const PAGE = 50;
const EVERY_MS = 5_000;
const LIVE = { document: UpgradesChangedDocument, variables: {} };

export function Upgrades({ search }: ScreenProps<"upgrades">) {
  const group = search["show"] ?? "";
  const states = GROUPS[group] ?? null;
  const variables = { filter: { states }, first: PAGE, after: search["after"] ?? null };
  const query = useQuery(UpgradesDocument, variables, { every: EVERY_MS, keep: true, live: LIVE });
  return (
    <div class="stack">
      <Headline title={t.browse.upgrades.title} actions={<Groups current={group} />} />
      <Loaded query={query}>
        {({ upgrades }) =>
          upgrades.nodes.length === 0 && !upgrades.pageInfo.hasNextPage ? (
            <NoUpgrade isFiltered={states !== null} />
          ) : (
            <div class="card">
              <UpgradeTable upgrades={upgrades.nodes} isDimmed={query.isLoading && query.at === null} hasProcess />
              <Paging after={search["after"]} info={upgrades.pageInfo} />
            </div>
          )
        }
      </Loaded>
    </div>
  );
}

export function UpgradeTable({
  upgrades,
  isDimmed = false,
  hasProcess = false,
}: {
  upgrades: readonly ListedUpgrade[];
  isDimmed?: boolean;
  hasProcess?: boolean;
}) {
  const texts = t.browse.upgrades;
  const columns: Column<ListedUpgrade>[] = [
    { title: texts.upgrade, isMain: true, cell: (upgrade) => <Name upgrade={upgrade} hasProcess={hasProcess} /> },
    { title: texts.state, cell: ({ state }) => <StateBadge state={state} /> },
    { title: texts.upgraded, isNumber: true, cell: ({ upgraded }) => number(upgraded) },
    { title: texts.skipped, isNumber: true, cell: ({ skipped }) => number(skipped) },
    { title: texts.progress, cell: (upgrade) => <Progress upgrade={upgrade} /> },
    { title: texts.requested, cell: (upgrade) => <Requested upgrade={upgrade} /> },
  ];
  return <Table caption={texts.title} columns={columns} rows={upgrades} keyOf={({ id }) => id} isDimmed={isDimmed} />;
}

function Name({ upgrade, hasProcess }: { upgrade: ListedUpgrade; hasProcess: boolean }) {
  const { id, process, selection, targetVersion, reason } = upgrade;
  const what = targetVersion ? t.browse.upgrades.toVersion(targetVersion) : t.browse.upgrades.back;
  return (
    <>
      <a href={href("upgrade", { id })}>{hasProcess ? process.title : what}</a>
      <div class="sub">
        {hasProcess && `${what} · `}
        {t.codes.selection[selection] ?? selection}
        {reason && ` · ${reason}`}
      </div>
    </>
  );
}

function Progress({ upgrade: { upgraded, skipped, total, expected } }: { upgrade: ListedUpgrade }) {
  const whole = Math.max(expected, total);
  return (
    <span class="measured">
      <Bar
        parts={[
          { value: upgraded, tone: "good" },
          { value: skipped, tone: "warn" },
        ]}
        whole={whole}
        label={t.browse.upgrades.progressOf(upgraded, skipped, whole)}
      />
    </span>
  );
}

function Requested({ upgrade: { requestedAt, requestedBy } }: { upgrade: ListedUpgrade }) {
  return (
    <>
      <time dateTime={requestedAt} title={dateTime(requestedAt)}>
        {ago(requestedAt)}
      </time>
      <div class="sub">{requestedBy}</div>
    </>
  );
}

function Groups({ current }: { current: string }) {
  const texts = t.browse.upgrades;
  const groups: [string, string][] = [
    ["", texts.all],
    ["unfinished", texts.unfinished],
    ["completed", texts.completed],
    ["stopped", texts.stopped],
  ];
  return (
    <div class="segments" role="group" aria-label={texts.show}>
      {groups.map(([name, text]) => (
        <button
          key={name}
          type="button"
          aria-pressed={current === name}
          onClick={() => changeSearch({ show: name, after: "" })}
        >
          {text}
        </button>
      ))}
    </div>
  );
}

function NoUpgrade({ isFiltered }: { isFiltered: boolean }) {
  const texts = t.browse.upgrades;
  return isFiltered ? (
    <Vacant title={texts.noneFound}>
      <p>
        <a href={href("upgrades", {})}>{texts.clear}</a>
      </p>
    </Vacant>
  ) : (
    <Vacant title={texts.empty}>
      <p>{texts.emptyHint}</p>
    </Vacant>
  );
}
