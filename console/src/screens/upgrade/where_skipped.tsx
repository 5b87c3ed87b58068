// Where an upgrade skipped instances: counts at the elements of a version, and the reasons at the chosen one.
import { useCallback, useEffect, useState } from "preact/hooks";
import { SkippedAtDocument, SkippedElementsDocument, VersionModelDocument } from "../../api/operations.ts";
import { useQuery } from "../../api/use_query.ts";
import { Diagram, type ElementLabel } from "../../diagram/diagram.tsx";
import { labelsFor, notDrawn } from "../../diagram/tokens.ts";
import type { View } from "../../diagram/viewer.ts";
import { Loaded, Skeleton } from "../../parts/states.tsx";
import { changeSearch, href, type Search } from "../../routes.ts";
import { compact, number } from "../../texts/format.ts";
import { t } from "../../texts/index.ts";
import type { NameOf } from "../process/names.ts";
import { isUnfinished, type LoadedUpgrade } from "../upgrade.tsx";
import { type SkippedOutcome, reasonsAt } from "./reasons_at.ts";

const EVERY_MS = 10_000;
const FIRST = 100;
const MOST_PAGES = 50; // a page looks at a part of the outcomes, and may find none of these

interface Props {
  upgrade: LoadedUpgrade;
  search: Search;
  // The versions from which the instances may have come.
  versions: readonly number[];
  nameOf: NameOf;
}

export function WhereSkipped({ upgrade, search, versions, nameOf }: Props) {
  const texts = t.upgrading;
  const { id, process } = upgrade;
  const { namespace, code, title } = process;
  const asked = versions.find((version) => String(version) === search["from"]);
  const shown = asked ?? upgrade.conditions?.versions?.[0] ?? versions[0] ?? 0;
  const every = isUnfinished(upgrade) ? EVERY_MS : undefined;
  const counts = useQuery(SkippedElementsDocument, { id }, { every }).data?.upgrade?.countsByElement;
  const model = useQuery(VersionModelDocument, { namespace, code, number: shown }, { pause: shown === 0 });
  const { bpmn, elements } = model.data?.process?.version ?? { bpmn: null, elements: [] };
  const isLoading = shown !== 0 && model.data === undefined && model.failure === null;
  const at = search["at"] ?? "";
  const [missing, setMissing] = useState<string[]>([]);
  const labels = useCallback(
    (view: View): ElementLabel[] => {
      const tokens = (counts ?? []).map(({ elementId, count }) => ({ elementId, pending: count, running: 0 }));
      setMissing(notDrawn(tokens, view.has));
      return labelsFor(tokens, elements, view.isCollapsed).map(({ elementId, pending, isInside }) => ({
        elementId,
        text: isInside ? t.diagram.inside(compact(pending)) : compact(pending),
        title: (isInside ? texts.skippedInside : texts.skippedAt)(t.common.instances(pending), nameOf(elementId)),
        tone: isInside ? "inside" : "changed",
      }));
    },
    [counts, elements, nameOf],
  );
  const choose = (elementId: string | null) => changeSearch({ at: elementId === at ? "" : (elementId ?? "") });
  if (!counts?.length) return null;
  const list = (
    <section class="card cohorts" aria-label={texts.byElement}>
      <ol>
        {counts.map(({ elementId, count }) => (
          <li key={elementId} aria-current={elementId === at || undefined}>
            <button
              type="button"
              class="link"
              title={elementId}
              aria-expanded={elementId === at}
              onClick={() => choose(elementId)}
            >
              {nameOf(elementId)}
            </button>
            <span class="number cohort-count">{number(count)}</span>
            {elementId === at && <AtElement upgrade={upgrade} at={at} />}
          </li>
        ))}
      </ol>
      <p class="quiet small padded">{texts.chooseElement}</p>
    </section>
  );
  return (
    <section class="stack" style={{ "--gap": 2 }} aria-labelledby="where-skipped">
      <div class="row spread">
        <h2 id="where-skipped">{texts.whereSkipped}</h2>
        {bpmn && versions.length > 1 && (
          <select
            class="input order"
            aria-label={texts.drawnVersion}
            value={String(shown)}
            onChange={(event) => changeSearch({ from: event.currentTarget.value })}
          >
            {versions.map((version) => (
              <option key={version} value={String(version)}>
                {t.browse.process.version(version)}
              </option>
            ))}
          </select>
        )}
      </div>
      {bpmn || isLoading ? (
        <div class="split">
          {bpmn ? (
            <div class="stack" style={{ "--gap": 2 }}>
              <Diagram
                xml={bpmn}
                title={t.browse.process.versionOf(title, shown)}
                labels={labels}
                chosen={at || null}
                onChoose={choose}
              />
              <p class="quiet small">
                {texts.countsAllVersions}
                {missing.length > 0 && ` ${t.diagram.elementsNotDrawn(missing.map(nameOf).join(", "))}`}
              </p>
            </div>
          ) : (
            <Skeleton lines={8} />
          )}
          {list}
        </div>
      ) : (
        list
      )}
    </section>
  );
}

function AtElement({ upgrade, at }: { upgrade: LoadedUpgrade; at: string }) {
  const { id, prunedAt } = upgrade;
  const [{ pages, after }, setPlace] = useState<{ pages: number; after: string | null }>({ pages: 1, after: null });
  const query = useQuery(SkippedAtDocument, { id, at, first: FIRST, after }, { pause: prunedAt !== null });
  const found = query.data?.upgrade?.outcomes;
  const isEmpty = found?.nodes.length === 0 && found.pageInfo.hasNextPage;
  const next = isEmpty && pages < MOST_PAGES ? found.pageInfo.endCursor : null;
  useEffect(() => {
    if (next) setPlace({ pages: pages + 1, after: next });
  }, [next]);
  if (prunedAt) return <p class="quiet small reasons-at">{t.browse.outcomes.prunedHint}</p>;
  return (
    <div class="reasons-at">
      <Loaded query={query} lines={2}>
        {(data) => {
          const page = data.upgrade?.outcomes;
          if (!page || next) return <Skeleton lines={2} />;
          if (isEmpty) return <p class="quiet small">{t.upgrading.notFoundYet}</p>;
          return <Reasons outcomes={page.nodes} at={at} hasMore={page.pageInfo.hasNextPage} />;
        }}
      </Loaded>
      <a class="small" href={href("outcomes", { id }, { kind: "SKIPPED", at })}>
        {t.upgrading.outcomesHere}
      </a>
    </div>
  );
}

interface ReasonsProps {
  outcomes: readonly SkippedOutcome[];
  at: string;
  hasMore: boolean;
}

function Reasons({ outcomes, at, hasMore }: ReasonsProps) {
  return (
    <ul>
      {reasonsAt(outcomes, at).map(({ code, findings, count, message }) => (
        <li key={`${code} ${findings.join(" ")}`} title={message}>
          <span>
            {t.codes.reason[code] ?? message}
            {findings.map((finding) => (
              <span key={finding} class="quiet small">
                {t.codes.finding[finding] ?? finding}
              </span>
            ))}
          </span>
          <span class="number">{number(count)}</span>
        </li>
      ))}
      {hasMore && <li class="quiet small">{t.upgrading.amongFirst(outcomes.length)}</li>}
    </ul>
  );
}
