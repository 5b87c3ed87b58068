// The instances of a process, filtered by version, status and element.
import {
  InstanceCountDocument,
  InstancesDocument,
  type InstancesQuery,
  type Status,
  VersionModelDocument,
} from "../../api/operations.ts";
import { useQuery } from "../../api/use_query.ts";
import { StatusBadge } from "../../parts/badges.tsx";
import { Loaded, Vacant } from "../../parts/states.tsx";
import { type Column, Paging, Table } from "../../parts/table.tsx";
import { changeSearch, href, type Search } from "../../routes.ts";
import { t } from "../../texts/index.ts";
import type { LoadedProcess } from "../process.tsx";
import { namesIn, positionText } from "./names.ts";

type Instance = NonNullable<InstancesQuery["process"]>["instances"]["nodes"][number];

const STATUSES: Status[] = ["PENDING", "RUNNING", "COMPLETED", "CANCELLED", "FAILED"];
const PAGE = 50;

export function InstancesTab({ process, search }: { process: LoadedProcess; search: Search }) {
  const { namespace, code } = process;
  const status = STATUSES.find((name) => name === search["status"]);
  const version = process.versions.find(({ number }) => String(number) === search["version"])?.number;
  const at = search["at"] || null;
  const filter = {
    statuses: status ? [status] : null,
    versions: version ? [version] : null,
    elements: at ? [at] : null,
  };
  const variables = { namespace, code, filter, first: PAGE, after: search["after"] ?? null };
  const query = useQuery(InstancesDocument, variables, { keep: true });
  const counted = useQuery(InstanceCountDocument, { namespace, code, filter }, { keep: true });
  const named = version ?? process.latestPublishedVersion?.number ?? 0;
  const model = useQuery(VersionModelDocument, { namespace, code, number: named }, { pause: named === 0, keep: true });
  const nameOf = namesIn(model.data?.process?.version?.elements);
  const total = counted.data?.process?.instances.totalCount;
  return (
    <div class="stack">
      <div class="row">
        <Choice
          label={t.browse.process.versionTitle}
          value={version ? String(version) : ""}
          options={process.versions.map(({ number }) => [String(number), t.browse.process.version(number)])}
          onChoose={(value) => changeSearch({ version: value, after: "" })}
        />
        <Choice
          label={t.browse.process.status}
          value={status ?? ""}
          options={STATUSES.map((name) => [name, t.codes.status[name] ?? name])}
          onChoose={(value) => changeSearch({ status: value, after: "" })}
        />
        {at && (
          <button type="button" class="button" onClick={() => changeSearch({ at: "", after: "" })}>
            {t.browse.process.atElement(nameOf(at))} <span aria-hidden="true">×</span>
            <span class="unseen">{t.browse.process.removeFilter}</span>
          </button>
        )}
      </div>
      <Loaded query={query}>
        {(data) => {
          const page = data.process?.instances;
          if (!page || (page.nodes.length === 0 && !page.pageInfo.hasNextPage && !search["after"])) {
            return <Vacant title={t.browse.process.noInstances} />;
          }
          return (
            <div class="card">
              <Table
                caption={t.browse.process.tabs.instances}
                columns={columns(nameOf)}
                rows={page.nodes}
                keyOf={({ id }) => id}
                isDimmed={query.isLoading && query.at === null}
              />
              {page.nodes.length === 0 && <p class="quiet padded">{t.browse.process.emptyPage}</p>}
              <Paging
                after={search["after"]}
                info={page.pageInfo}
                summary={total === undefined ? null : t.common.instances(total)}
              />
            </div>
          );
        }}
      </Loaded>
    </div>
  );
}

function columns(nameOf: (id: string) => string): Column<Instance>[] {
  const texts = t.browse.process;
  return [
    {
      title: texts.instance,
      isMain: true,
      cell: ({ instanceId }) => (
        <a class="mono" href={href("instance", { id: instanceId })}>
          {instanceId}
        </a>
      ),
    },
    { title: texts.versionTitle, isNumber: true, cell: ({ version }) => version },
    { title: texts.status, cell: ({ status }) => <StatusBadge status={status} /> },
    {
      title: texts.place,
      cell: ({ position }) => (position.length ? positionText(position, nameOf) : <span class="quiet">–</span>),
    },
  ];
}

function Choice({
  label,
  value,
  options,
  onChoose,
}: {
  label: string;
  value: string;
  options: [string, string][];
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
      {options.map(([name, text]) => (
        <option key={name} value={name}>
          {text}
        </option>
      ))}
    </select>
  );
}
