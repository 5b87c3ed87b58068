// What an upgrade did to each instance: filtered by kind, reason and element, page by page, and as a CSV file.
import {
  type FindingCode,
  OutcomeFiltersDocument,
  type OutcomeFiltersQuery,
  OutcomesDocument,
  type OutcomesQuery,
  type ReasonCode,
} from "../api/operations.ts";
import { useQuery } from "../api/use_query.ts";
import { uuidIn } from "../ids.ts";
import { Badge } from "../parts/badges.tsx";
import { Headline } from "../parts/headline.tsx";
import { Loaded, Vacant } from "../parts/states.tsx";
import { type Column, Paging, Table } from "../parts/table.tsx";
import { changeSearch, href, type ScreenProps, type Search } from "../routes.ts";
import { date, number } from "../texts/format.ts";
import { t } from "../texts/index.ts";
import { Download } from "./outcomes/download.tsx";
import { type NameOf, positionText } from "./process/names.ts";
import { useVersionsOf } from "./upgrade/versions_of.ts";

type Page = NonNullable<OutcomesQuery["upgrade"]>["outcomes"];
export type Outcome = Page["nodes"][number];
type Upgrade = NonNullable<OutcomeFiltersQuery["upgrade"]>;

const PAGE = 50;
const EVERY_MS = 5_000;

export function Outcomes({ params, search }: ScreenProps<"outcomes">) {
  const id = uuidIn(params.id) ?? "";
  const filters = useQuery(OutcomeFiltersDocument, { id }, { every: EVERY_MS, pause: !id });
  if (!id) return <Vacant title={t.browse.outcomes.unknown} />;
  return (
    <Loaded query={filters}>
      {({ upgrade }) =>
        upgrade ? <Shown upgrade={upgrade} search={search} /> : <Vacant title={t.browse.outcomes.unknown} />
      }
    </Loaded>
  );
}

function Shown({ upgrade, search }: { upgrade: Upgrade; search: Search }) {
  const texts = t.browse.outcomes;
  const { process, id, prunedAt } = upgrade;
  const filter = filterOf(search);
  const { nameOf } = useVersionsOf(upgrade);
  const query = useQuery(
    OutcomesDocument,
    { id, filter, first: PAGE, after: search["after"] ?? null },
    { keep: true, pause: prunedAt !== null },
  );
  const title = upgrade.targetVersion ? t.browse.upgrades.toVersion(upgrade.targetVersion) : t.browse.upgrades.back;
  return (
    <div class="stack">
      <Headline
        title={texts.title}
        crumbs={[
          { text: t.common.processes, href: href("processes", {}) },
          { text: process.title, href: href("process", process) },
          { text: title, href: href("upgrade", { id }) },
        ]}
        actions={prunedAt ? undefined : <Download id={id} filter={filter} expected={upgrade.total} />}
      />
      {prunedAt ? (
        <Vacant title={texts.pruned(date(prunedAt))}>
          <p>{texts.prunedHint}</p>
        </Vacant>
      ) : (
        <>
          <Filters upgrade={upgrade} search={search} nameOf={nameOf} />
          <Loaded query={query}>
            {(data) => (
              <Listed
                page={data.upgrade?.outcomes ?? null}
                after={search["after"]}
                nameOf={nameOf}
                isDimmed={query.isLoading && query.at === null}
              />
            )}
          </Loaded>
        </>
      )}
    </div>
  );
}

function filterOf(search: Search) {
  const kind = search["kind"];
  return {
    kinds: kind === "UPGRADED" || kind === "SKIPPED" ? [kind as "UPGRADED" | "SKIPPED"] : null,
    reasons: search["reason"] ? [search["reason"] as ReasonCode] : null,
    elements: search["at"] ? [search["at"]] : null,
    findings: search["finding"] ? [search["finding"] as FindingCode] : null,
  };
}

function Filters({ upgrade, search, nameOf }: { upgrade: Upgrade; search: Search; nameOf: NameOf }) {
  const texts = t.browse.outcomes;
  const kinds: [string, string, number][] = [
    ["", t.browse.upgrades.all, upgrade.total],
    ["UPGRADED", t.codes.outcome["UPGRADED"] ?? "", upgrade.upgraded],
    ["SKIPPED", t.codes.outcome["SKIPPED"] ?? "", upgrade.skipped],
  ];
  return (
    <div class="row">
      <div class="segments" role="group" aria-label={texts.kind}>
        {kinds.map(([kind, text, count]) => (
          <button
            key={kind}
            type="button"
            aria-pressed={(search["kind"] ?? "") === kind}
            onClick={() => changeSearch({ kind, after: "", ...(kind === "SKIPPED" ? {} : { reason: "" }) })}
          >
            {text} <span class="number">{number(count)}</span>
          </button>
        ))}
      </div>
      {upgrade.countsByReason.length > 0 && (
        <Choice
          label={texts.reason}
          value={search["reason"] ?? ""}
          options={upgrade.countsByReason.map(({ code, count }) => [code, t.codes.reason[code] ?? code, count])}
          onChoose={(reason) => changeSearch({ reason, kind: reason ? "SKIPPED" : (search["kind"] ?? ""), after: "" })}
        />
      )}
      {upgrade.countsByFinding.length > 0 && (
        <Choice
          label={texts.finding}
          value={search["finding"] ?? ""}
          options={upgrade.countsByFinding.map(({ code, count }) => [code, t.codes.finding[code] ?? code, count])}
          onChoose={(finding) => changeSearch({ finding, after: "" })}
        />
      )}
      {upgrade.countsByElement.length > 0 && (
        <Choice
          label={texts.element}
          value={search["at"] ?? ""}
          options={upgrade.countsByElement.map(({ elementId, count }) => [elementId, nameOf(elementId), count])}
          onChoose={(at) => changeSearch({ at, after: "" })}
        />
      )}
    </div>
  );
}

function Choice({
  label,
  value,
  options,
  onChoose,
}: {
  label: string;
  value: string;
  options: [string, string, number][];
  onChoose: (value: string) => void;
}) {
  return (
    <select
      class="input order"
      aria-label={label}
      value={value}
      onChange={(event) => onChoose(event.currentTarget.value)}
    >
      <option value="">{`${label}: ${t.browse.upgrades.all}`}</option>
      {options.map(([name, text, count]) => (
        <option key={name} value={name}>{`${text} (${number(count)})`}</option>
      ))}
    </select>
  );
}

interface ListedProps {
  page: Page | null;
  after: string | undefined;
  nameOf: NameOf;
  isDimmed: boolean;
}

function Listed({ page, after, nameOf, isDimmed }: ListedProps) {
  const texts = t.browse.outcomes;
  if (!page || (page.nodes.length === 0 && !page.pageInfo.hasNextPage && !after)) return <Vacant title={texts.none} />;
  const columns: Column<Outcome>[] = [
    {
      title: t.browse.process.instance,
      isMain: true,
      cell: ({ instanceId }) => (
        <a class="mono" href={href("instance", { id: instanceId })}>
          {instanceId}
        </a>
      ),
    },
    {
      title: texts.kind,
      cell: ({ kind }) => (
        <Badge tone={kind === "UPGRADED" ? "good" : ""} icon={kind === "UPGRADED" ? "check" : "minus"}>
          {t.codes.outcome[kind] ?? kind}
        </Badge>
      ),
    },
    { title: texts.versions, cell: ({ fromVersion, toVersion }) => arrow(fromVersion, toVersion) },
    {
      title: texts.places,
      cell: ({ fromPosition, toPosition }) =>
        arrow(positionText(fromPosition ?? [], nameOf), positionText(toPosition ?? [], nameOf)),
    },
    { title: texts.reason, cell: ({ reasons }) => <Reasons reasons={reasons} nameOf={nameOf} /> },
  ];
  return (
    <div class="card">
      <Table
        caption={texts.title}
        columns={columns}
        rows={page.nodes}
        keyOf={({ instanceId }) => instanceId}
        isDimmed={isDimmed}
      />
      {page.nodes.length === 0 && <p class="quiet padded">{texts.emptyPage}</p>}
      <Paging after={after} info={page.pageInfo} />
    </div>
  );
}

function Reasons({ reasons, nameOf }: { reasons: Outcome["reasons"]; nameOf: NameOf }) {
  return (
    <>
      {reasons.map(({ code, message, findings }) => (
        <div key={code} title={message}>
          {t.codes.reason[code] ?? message}
          {findings.map((finding) => (
            <div key={`${finding.code} ${finding.source}`} class="sub" title={finding.message}>
              {finding.source && `${nameOf(finding.source)}: `}
              {t.codes.finding[finding.code] ?? finding.message}
            </div>
          ))}
        </div>
      ))}
    </>
  );
}

function arrow(from: string | number | null | undefined, to: string | number | null | undefined) {
  if (from === null || from === undefined || from === "") return <span class="quiet">–</span>;
  return from === to ? <span>{from}</span> : <span>{`${from} → ${to}`}</span>;
}
