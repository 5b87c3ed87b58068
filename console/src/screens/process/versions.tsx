// The versions of a process as a table: when each was published, how many instances are on it, and its comparison.
import { Badge } from "../../parts/badges.tsx";
import { Vacant } from "../../parts/states.tsx";
import { type Column, Table } from "../../parts/table.tsx";
import { href } from "../../routes.ts";
import { ago, dateTime, number } from "../../texts/format.ts";
import { t } from "../../texts/index.ts";
import type { Activity, LoadedProcess } from "../process.tsx";

type Version = LoadedProcess["versions"][number];

export function VersionsTab({ process, activity }: { process: LoadedProcess; activity: Activity | null }) {
  const texts = t.browse.process;
  const { namespace, code } = process;
  const latest = process.latestPublishedVersion?.number;
  const countOf = new Map(
    activity?.activeByVersion.map(({ version, pending, running }) => [version, pending + running]),
  );
  if (process.versions.length === 0) {
    return (
      <Vacant title={texts.noVersions}>
        <p>{texts.noVersionsHint}</p>
      </Vacant>
    );
  }
  const compareWith = (version: number) => (version === latest ? version - 1 : latest) ?? version;
  const columns: Column<Version>[] = [
    {
      title: texts.versionTitle,
      isMain: true,
      cell: (version) => (
        <span class="row" style={{ "--gap": 2 }}>
          <a href={href("process", { namespace, code }, { version: String(version.number) })}>
            {texts.version(version.number)}
          </a>
          {version.number === latest && <Badge tone="good">{texts.latestShort}</Badge>}
          {version.state === "DRAFT" && <Badge tone="warn">{t.codes.versionState["DRAFT"] ?? ""}</Badge>}
        </span>
      ),
    },
    {
      title: texts.active,
      isNumber: true,
      cell: ({ number: version }) =>
        countOf.get(version) ? (
          <a href={href("process", { namespace, code }, { tab: "instances", version: String(version) })}>
            {number(countOf.get(version) ?? 0)}
          </a>
        ) : (
          <span class="quiet">0</span>
        ),
    },
    {
      title: texts.published,
      cell: ({ publishedAt, createdAt, state }) =>
        publishedAt ? (
          <time dateTime={publishedAt} title={dateTime(publishedAt)}>
            {ago(publishedAt)}
          </time>
        ) : (
          <span class="quiet">{state === "DRAFT" ? texts.savedAt(ago(createdAt)) : "–"}</span>
        ),
    },
    { title: texts.model, cell: ({ hasBpmn }) => (hasBpmn ? "BPMN" : <span class="quiet">{t.common.none}</span>) },
    {
      title: texts.comparison,
      cell: ({ number: version }) =>
        compareWith(version) > 0 && compareWith(version) !== version ? (
          <a
            href={href(
              "compare",
              { namespace, code },
              {
                from: String(Math.min(version, compareWith(version))),
                to: String(Math.max(version, compareWith(version))),
              },
            )}
          >
            {texts.compareWith(compareWith(version))}
          </a>
        ) : (
          ""
        ),
    },
  ];
  return (
    <div class="card">
      <Table
        caption={texts.tabs.versions}
        columns={columns}
        rows={[...process.versions].reverse()}
        keyOf={({ id }) => id}
      />
    </div>
  );
}
