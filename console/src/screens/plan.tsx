// Plans an upgrade: which instances, what would happen to them and why, mapping of elements, and the request itself.
import { useEffect, useMemo, useState } from "preact/hooks";
import {
  ProcessDocument,
  UpgradePlanDocument,
  type UpgradePlanQuery,
  VersionModelDocument,
} from "../api/operations.ts";
import { useQuery } from "../api/use_query.ts";
import { Action } from "../parts/actions.tsx";
import { Headline } from "../parts/headline.tsx";
import { FailureNotice, Loaded, Skeleton, Vacant } from "../parts/states.tsx";
import { href, type ScreenProps, type Search } from "../routes.ts";
import { t } from "../texts/index.ts";
import { Confirm } from "./plan/confirm.tsx";
import { Decisions } from "./plan/decisions.tsx";
import { Mapping } from "./plan/mapping.tsx";
import { Outlook } from "./plan/outlook.tsx";
import { mappingsOf, type PlanRequest, requestOf, selectionOf } from "./plan/request.ts";
import { Selection } from "./plan/selection.tsx";
import type { LoadedProcess } from "./process.tsx";
import { namesIn } from "./process/names.ts";

export type Plan = NonNullable<NonNullable<UpgradePlanQuery["upgradePlan"]>["plan"]>;
export type PlannedCohort = Plan["cohorts"][number];

export function PlanScreen({ params, search }: ScreenProps<"plan">) {
  const query = useQuery(ProcessDocument, params);
  return (
    <Loaded query={query}>
      {({ process }) => {
        if (!process) return <Vacant title={t.browse.process.unknown(`${params.namespace}/${params.code}`)} />;
        const target = process.latestPublishedVersion?.number;
        if (!target) return <Vacant title={t.browse.process.nothingPublished} />;
        return <Planned process={process} target={target} search={search} />;
      }}
    </Loaded>
  );
}

function Planned({ process, target, search }: { process: LoadedProcess; target: number; search: Search }) {
  const texts = t.planning;
  const { namespace, code } = process;
  const request = useMemo(() => requestOf(search), [JSON.stringify(search)]);
  const selection = selectionOf(request);
  const input = {
    namespace,
    code,
    selection: selection ?? { allActive: {} },
    mappings: mappingsOf(request.instructions),
  };
  const query = useQuery(UpgradePlanDocument, { input }, { pause: selection === null, keep: true });
  const model = useQuery(VersionModelDocument, { namespace, code, number: target });
  const oldest = useQuery(VersionModelDocument, { namespace, code, number: process.versions[0]?.number ?? target });
  const elements = useMemo(
    () => [...(model.data?.process?.version?.elements ?? []), ...(oldest.data?.process?.version?.elements ?? [])],
    [model.data, oldest.data],
  );
  const nameOf = useMemo(() => namesIn(elements), [elements]);
  const places = useMemo(() => placesIn(elements), [elements]);
  const [isConfirming, setConfirming] = useState(false);
  const answer = query.data?.upgradePlan;
  const plan = selection ? (answer?.plan ?? null) : null;
  const isFresh = !query.isLoading && query.at !== null && query.failure === null;
  return (
    <div class="stack">
      <Headline
        title={t.upgrading.toVersion(target)}
        crumbs={[
          { text: t.common.processes, href: href("processes", {}) },
          { text: process.title, href: href("process", { namespace, code }) },
        ]}
        below={texts.changesNothing}
        actions={
          <Action kind="primary" blocked={blockedBecause(plan, isFresh)} onClick={() => setConfirming(true)}>
            {plan ? texts.upgradeThem(t.common.instances(plan.upgraded)) : t.browse.process.upgrade}
          </Action>
        }
      />
      <div class="plan">
        <Selection process={process} request={request} target={target} places={places} nameOf={nameOf} />
        <div class="stack">
          {query.failure && <FailureNotice failure={query.failure} onRetry={query.reload} />}
          {selection === null ? (
            <Vacant title={texts.nothingSelected} />
          ) : answer?.userErrors.length ? (
            answer.userErrors.map(({ message }) => (
              <p key={message} class="notice bad" role="alert">
                {message}
              </p>
            ))
          ) : plan ? (
            <Result
              process={process}
              request={request}
              plan={plan}
              search={search}
              nameOf={nameOf}
              isDimmed={!isFresh}
            />
          ) : (
            !query.failure && <Skeleton lines={10} />
          )}
        </div>
      </div>
      {isConfirming && plan && (
        <Confirm
          process={process}
          plan={plan}
          input={input}
          onClose={() => setConfirming(false)}
          onChanged={query.reload}
        />
      )}
    </div>
  );
}

function placesIn(elements: readonly { elementId: string; name: string | null; isWaitState: boolean }[]): string[] {
  const waiting = elements.filter(({ isWaitState }) => isWaitState);
  waiting.sort((a, b) => (a.name || a.elementId).localeCompare(b.name || b.elementId));
  return [...new Set(waiting.map(({ elementId }) => elementId))];
}

interface ResultProps {
  process: LoadedProcess;
  request: PlanRequest;
  plan: Plan;
  search: Search;
  nameOf: (id: string) => string;
  isDimmed: boolean;
}

function Result({ process, request, plan, search, nameOf, isDimmed }: ResultProps) {
  const [isSlow, setSlow] = useState(false);
  useEffect(() => {
    if (!isDimmed) return setSlow(false);
    const timer = setTimeout(() => setSlow(true), 200);
    return () => clearTimeout(timer);
  }, [isDimmed]);
  return (
    <div class={`stack ${isSlow ? "dimmed" : ""}`} aria-busy={isDimmed}>
      <Outlook plan={plan} reason={search["reason"] ?? ""} />
      <Mapping process={process} request={request} plan={plan} version={search["from"] ?? ""} />
      <Decisions process={process} plan={plan} reason={search["reason"] ?? ""} nameOf={nameOf} />
    </div>
  );
}

function blockedBecause(plan: Plan | null, isFresh: boolean): string | null {
  if (!plan || !isFresh) return t.planning.notPlannedYet;
  return plan.upgraded === 0 ? t.planning.nothingToDo : null;
}
