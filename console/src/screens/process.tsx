// One process: its figures, and tabs for where its instances wait, its versions, its instances and its upgrades.
import {
  ProcessActivityDocument,
  type ProcessActivityQuery,
  ProcessChangedDocument,
  ProcessDocument,
  type ProcessQuery,
} from "../api/operations.ts";
import { useQuery } from "../api/use_query.ts";
import { Action } from "../parts/actions.tsx";
import { StateBadge } from "../parts/badges.tsx";
import { Figure, Figures } from "../parts/figures.tsx";
import { Headline } from "../parts/headline.tsx";
import { Loaded, Vacant } from "../parts/states.tsx";
import { changeSearch, href, type ScreenProps } from "../routes.ts";
import { ago, number, percent } from "../texts/format.ts";
import { t } from "../texts/index.ts";
import { InstancesTab } from "./process/instances.tsx";
import { Overview } from "./process/overview.tsx";
import { UpgradesTab } from "./process/upgrades.tsx";
import { VersionsTab } from "./process/versions.tsx";

export type LoadedProcess = NonNullable<ProcessQuery["process"]>;

const TABS = ["overview", "versions", "instances", "upgrades"] as const;
type Tab = (typeof TABS)[number];
const EVERY_MS = 5_000;
const VERSIONS_EVERY_MS = 60_000;

export function Process({ params, search }: ScreenProps<"process">) {
  const query = useQuery(ProcessDocument, params, { every: VERSIONS_EVERY_MS });
  const activity = useQuery(ProcessActivityDocument, params, {
    every: EVERY_MS,
    live: { document: ProcessChangedDocument, variables: params },
  });
  const tab = TABS.find((name) => name === search["tab"]) ?? "overview";
  return (
    <Loaded query={query}>
      {({ process }) =>
        process === null ? (
          <Vacant title={t.browse.process.unknown(`${params.namespace}/${params.code}`)}>
            <p>{t.browse.process.unknownHint}</p>
            <p>
              <a href={href("processes", {})}>{t.common.notHere.back}</a>
            </p>
          </Vacant>
        ) : (
          <div class="stack">
            <Headline
              title={process.title}
              crumbs={[{ text: t.common.processes, href: href("processes", {}) }]}
              below={
                <code>
                  {process.namespace}/{process.code}
                </code>
              }
              actions={<Actions process={process} outdated={activity.data?.process?.outdatedCount} />}
            />
            <Summary process={process} activity={activity.data?.process ?? null} />
            <Tabs current={tab} process={process} />
            {tab === "overview" && (
              <Overview process={process} activity={activity.data?.process ?? null} search={search} />
            )}
            {tab === "versions" && <VersionsTab process={process} activity={activity.data?.process ?? null} />}
            {tab === "instances" && <InstancesTab process={process} search={search} />}
            {tab === "upgrades" && <UpgradesTab process={process} search={search} />}
          </div>
        )
      }
    </Loaded>
  );
}

export type Activity = NonNullable<ProcessActivityQuery["process"]>;

function Summary({ process, activity }: { process: LoadedProcess; activity: Activity | null }) {
  const texts = t.browse.process;
  const { latestPublishedVersion: latest, draft } = process;
  return (
    <Figures>
      <Figure
        title={texts.active}
        value={activity && number(activity.activeCount)}
        note={activity && texts.waiting(activity.activeByVersion.reduce((sum, { pending }) => sum + pending, 0))}
      />
      <Figure
        title={texts.outdated}
        value={activity && number(activity.outdatedCount)}
        note={
          activity && (activity.activeCount ? texts.share(percent(activity.outdatedCount, activity.activeCount)) : "")
        }
        tone={activity?.outdatedCount ? "warn" : undefined}
      />
      <Figure
        title={texts.latest}
        value={latest ? number(latest.number) : "–"}
        note={draft ? texts.draftWaits(draft.number) : latest ? texts.noDraft : texts.nothingPublished}
      />
      <Figure
        title={texts.lastUpgrade}
        value={activity && (activity.lastUpgrade ? ago(activity.lastUpgrade.requestedAt) : texts.never)}
        isText
        note={
          activity?.lastUpgrade ? (
            <a href={href("upgrade", { id: activity.lastUpgrade.id })}>
              <StateBadge state={activity.lastUpgrade.state} />
            </a>
          ) : (
            ""
          )
        }
      />
    </Figures>
  );
}

function Actions({ process, outdated }: { process: LoadedProcess; outdated: number | undefined }) {
  const texts = t.browse.process;
  const { namespace, code, latestPublishedVersion: latest } = process;
  const blocked = !latest ? texts.nothingPublished : outdated === 0 ? texts.nothingToUpgrade : null;
  return (
    <>
      {process.versions.length > 1 && (
        <a class="button" href={href("compare", { namespace, code })}>
          {texts.compare}
        </a>
      )}
      <Action kind="primary" blocked={blocked} isOpenToReaders href={href("plan", { namespace, code })}>
        {latest ? texts.upgradeTo(latest.number) : texts.upgrade}
      </Action>
    </>
  );
}

function Tabs({ current, process }: { current: Tab; process: LoadedProcess }) {
  const { namespace, code } = process;
  return (
    <nav class="tabs" aria-label={process.title}>
      {TABS.map((tab) => (
        <a
          key={tab}
          href={href("process", { namespace, code }, tab === "overview" ? {} : { tab })}
          aria-current={tab === current ? "page" : undefined}
        >
          {t.browse.process.tabs[tab]}
          {tab === "versions" && <span class="quiet number"> {process.versions.length}</span>}
        </a>
      ))}
    </nav>
  );
}

export const showElement = (elementId: string | null) => changeSearch({ at: elementId ?? "" });
