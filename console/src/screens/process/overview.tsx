// Where the instances of one version wait: numbers at the elements of its diagram, and the same as a table.
import { useCallback, useMemo, useState } from "preact/hooks";
import {
  CohortsDocument,
  type CohortsQuery,
  ProcessChangedDocument,
  VersionModelDocument,
  type VersionModelQuery,
} from "../../api/operations.ts";
import { useQuery } from "../../api/use_query.ts";
import { Diagram, type ElementLabel } from "../../diagram/diagram.tsx";
import { labelsFor, notDrawn, type Tokens } from "../../diagram/tokens.ts";
import type { View } from "../../diagram/viewer.ts";
import { StatusBadge } from "../../parts/badges.tsx";
import { Skeleton, Loaded, Vacant } from "../../parts/states.tsx";
import { changeSearch, href, type Search } from "../../routes.ts";
import { compact, number } from "../../texts/format.ts";
import { t } from "../../texts/index.ts";
import type { Activity, LoadedProcess } from "../process.tsx";
import { type NameOf, namesIn, positionText } from "./names.ts";
import { VersionRail } from "./version_rail.tsx";

type Cohort = NonNullable<CohortsQuery["process"]>["cohorts"][number];
type Model = NonNullable<NonNullable<VersionModelQuery["process"]>["version"]>;

const EVERY_MS = 10_000;
const SHOWN_ROWS = 100;
const ACTIVE = new Set(["PENDING", "RUNNING"]);

export function Overview({
  process,
  activity,
  search,
}: {
  process: LoadedProcess;
  activity: Activity | null;
  search: Search;
}) {
  const { namespace, code } = process;
  const shown = shownVersion(process, activity, search["version"]);
  const cohorts = useQuery(
    CohortsDocument,
    { namespace, code },
    {
      every: EVERY_MS,
      live: { document: ProcessChangedDocument, variables: { namespace, code } },
    },
  );
  const model = useQuery(VersionModelDocument, { namespace, code, number: shown ?? 0 }, { pause: shown === null });
  if (process.versions.length === 0) {
    return (
      <Vacant title={t.browse.process.noVersions}>
        <p>{t.browse.process.noVersionsHint}</p>
      </Vacant>
    );
  }
  if (shown === null) return <Skeleton lines={8} />;
  return (
    <div class="stack">
      <VersionRail process={process} activity={activity} shown={shown} />
      <Loaded query={cohorts} lines={8}>
        {(data) => (
          <Waiting
            process={process}
            version={shown}
            cohorts={data.process?.cohorts.filter(({ version }) => version === shown) ?? []}
            model={model.data?.process?.version ?? null}
            isModelLoading={model.data === undefined && model.failure === null}
            at={search["at"] ?? null}
            isAll={search["all"] === "yes"}
          />
        )}
      </Loaded>
    </div>
  );
}

interface WaitingProps {
  process: LoadedProcess;
  version: number;
  cohorts: Cohort[];
  model: Model | null;
  isModelLoading: boolean;
  at: string | null;
  isAll: boolean;
}

function Waiting({ process, version, cohorts, model, isModelLoading, at, isAll }: WaitingProps) {
  const [pointed, setPointed] = useState<readonly string[]>([]);
  const [missing, setMissing] = useState<string[]>([]);
  const nameOf = useMemo(() => namesIn(model?.elements), [model]);
  const tokens = useMemo(() => tokensIn(cohorts), [cohorts]);
  const labels = useCallback(
    (view: View): ElementLabel[] => {
      setMissing(notDrawn(tokens, view.has));
      return labelsFor(tokens, model?.elements ?? [], view.isCollapsed).map((label) => ({
        elementId: label.elementId,
        text: label.isInside
          ? t.diagram.inside(compact(label.pending + label.running))
          : compact(label.pending + label.running),
        title: (label.isInside ? t.diagram.waitingInside : t.diagram.waitingAt)(
          t.common.instances(label.pending + label.running),
          nameOf(label.elementId),
        ),
        tone: label.isInside ? "inside" : label.pending ? "waiting" : "running",
      }));
    },
    [tokens, model],
  );
  const choose = (elementId: string | null) => changeSearch({ at: elementId === at ? "" : (elementId ?? "") });
  const rows = cohorts
    .filter(({ status, position }) => (isAll || ACTIVE.has(status)) && (!at || position.includes(at)))
    .sort((a, b) => Number(ACTIVE.has(b.status)) - Number(ACTIVE.has(a.status)) || b.count - a.count);
  return (
    <div class="split">
      <div class="stack" style={{ "--gap": 2 }}>
        {isModelLoading ? (
          <Skeleton lines={10} />
        ) : model?.bpmn ? (
          <>
            <Diagram
              xml={model.bpmn}
              title={t.browse.process.versionOf(process.title, version)}
              labels={labels}
              chosen={at}
              pointed={pointed}
              onChoose={choose}
            />
            <Legend hasInside={tokens.length > 0} />
            {missing.length > 0 && (
              <p class="quiet small">{t.diagram.elementsNotDrawn(missing.map(nameOf).join(", "))}</p>
            )}
          </>
        ) : (
          <Vacant title={t.browse.process.noModel}>
            <p>{t.browse.process.noModelHint}</p>
          </Vacant>
        )}
      </div>
      <CohortTable
        process={process}
        version={version}
        rows={rows}
        at={at}
        isAll={isAll}
        nameOf={nameOf}
        onPoint={setPointed}
        onChoose={choose}
      />
    </div>
  );
}

interface CohortTableProps {
  process: LoadedProcess;
  version: number;
  rows: Cohort[];
  at: string | null;
  isAll: boolean;
  nameOf: NameOf;
  onPoint: (position: readonly string[]) => void;
  onChoose: (elementId: string | null) => void;
}

function CohortTable({ process, version, rows, at, isAll, nameOf, onPoint, onChoose }: CohortTableProps) {
  const texts = t.browse.process;
  const largest = Math.max(1, ...rows.map(({ count }) => count));
  return (
    <section class="card cohorts" aria-labelledby="waiting">
      <header class="row spread">
        <h2 id="waiting">{at ? texts.waitingAt(nameOf(at)) : texts.whereTheyWait}</h2>
        {at ? (
          <button type="button" class="button small plain" onClick={() => onChoose(null)}>
            {texts.showAll}
          </button>
        ) : (
          <label class="row small quiet" style={{ "--gap": 1.5 }}>
            <input
              type="checkbox"
              checked={isAll}
              onChange={(event) => changeSearch({ all: event.currentTarget.checked ? "yes" : "" })}
            />
            {texts.finishedToo}
          </label>
        )}
      </header>
      {rows.length === 0 ? (
        <p class="quiet padded">{at ? texts.nobodyAt : texts.nobody}</p>
      ) : (
        <ol>
          {rows.slice(0, SHOWN_ROWS).map((cohort) => (
            <CohortRow
              key={`${cohort.status} ${cohort.position.join(" ")}`}
              cohort={cohort}
              largest={largest}
              address={instancesOf(process, version, cohort)}
              nameOf={nameOf}
              at={at}
              onPoint={onPoint}
              onChoose={onChoose}
            />
          ))}
        </ol>
      )}
      {rows.length > SHOWN_ROWS && <p class="quiet small padded">{texts.moreCohorts(rows.length - SHOWN_ROWS)}</p>}
    </section>
  );
}

interface CohortRowProps {
  cohort: Cohort;
  largest: number;
  address: string;
  nameOf: NameOf;
  at: string | null;
  onPoint: (position: readonly string[]) => void;
  onChoose: (elementId: string) => void;
}

function CohortRow({ cohort, largest, address, nameOf, at, onPoint, onChoose }: CohortRowProps) {
  const { status, position, count } = cohort;
  return (
    <li onMouseEnter={() => onPoint(position)} onMouseLeave={() => onPoint([])}>
      <div class="cohort-place">
        {position.length === 0 ? (
          <span class="quiet">{t.browse.process.noPosition}</span>
        ) : (
          position.map((elementId, index) => (
            <span key={elementId}>
              {index > 0 && <span class="quiet"> + </span>}
              <button
                type="button"
                class="link"
                title={elementId}
                aria-pressed={elementId === at}
                onClick={() => onChoose(elementId)}
                onFocus={() => onPoint(position)}
                onBlur={() => onPoint([])}
              >
                {nameOf(elementId)}
              </button>
            </span>
          ))
        )}
      </div>
      <a
        class="cohort-count number"
        href={address}
        aria-label={t.browse.process.listInstances(count, positionText(position, nameOf))}
      >
        {number(count)}
      </a>
      <span class="cohort-bar" style={{ width: `${(100 * count) / largest}%` }} />
      {status !== "PENDING" && <StatusBadge status={status} />}
    </li>
  );
}

function Legend({ hasInside }: { hasInside: boolean }) {
  if (!hasInside) return null;
  return (
    <ul class="legend">
      <li>
        <span class="diagram-count">12</span> {t.diagram.legendWaiting}
      </li>
      <li>
        <span class="diagram-count inside">{t.diagram.inside("12")}</span> {t.diagram.legendInside}
      </li>
      <li>{t.diagram.legendZoom}</li>
    </ul>
  );
}

// The version in the address; or else the one with the most active instances that are not on the latest, or the latest.
function shownVersion(process: LoadedProcess, activity: Activity | null, text: string | undefined): number | null {
  const asked = Number(text);
  if (process.versions.some((version) => version.number === asked)) return asked;
  if (!activity) return null;
  const latest = process.latestPublishedVersion?.number ?? process.versions.at(-1)?.number ?? null;
  const others = activity.activeByVersion.filter(({ version }) => version !== latest);
  const most = others.sort((a, b) => b.pending + b.running - (a.pending + a.running))[0];
  return most?.version ?? latest;
}

function tokensIn(cohorts: readonly Cohort[]): Tokens[] {
  const tokens = new Map<string, Tokens>();
  for (const { status, position, count } of cohorts) {
    if (!ACTIVE.has(status)) continue;
    for (const elementId of position) {
      const { pending, running } = tokens.get(elementId) ?? { pending: 0, running: 0 };
      const isPending = status === "PENDING";
      tokens.set(elementId, {
        elementId,
        pending: pending + (isPending ? count : 0),
        running: running + (isPending ? 0 : count),
      });
    }
  }
  return [...tokens.values()];
}

function instancesOf({ namespace, code }: LoadedProcess, version: number, { status, position }: Cohort): string {
  const search = {
    tab: "instances",
    version: String(version),
    status,
    at: position.length === 1 ? (position[0] ?? "") : "",
  };
  return href("process", { namespace, code }, search);
}
