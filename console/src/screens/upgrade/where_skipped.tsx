// Where an upgrade skipped instances: counts at the elements of a version, and the reasons at the chosen one.
import { useCallback, useState } from "preact/hooks";
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
  if (!bpmn || counts?.length === 0) return null; // the list above has all of it
  return (
    <section class="stack" style={{ "--gap": 2 }} aria-labelledby="where-skipped">
      <div class="row spread">
        <h2 id="where-skipped">{texts.whereSkipped}</h2>
        {versions.length > 1 && (
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
      <div class="split">
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
        {at ? <AtElement upgrade={upgrade} at={at} nameOf={nameOf} /> : <p class="quiet">{texts.chooseElement}</p>}
      </div>
    </section>
  );
}

function AtElement({ upgrade, at, nameOf }: { upgrade: LoadedUpgrade; at: string; nameOf: NameOf }) {
  const texts = t.upgrading;
  const { id, prunedAt } = upgrade;
  const query = useQuery(SkippedAtDocument, { id, at, first: FIRST }, { pause: prunedAt !== null });
  return (
    <section class="card" aria-labelledby="reasons-at">
      <h2 id="reasons-at" class="card-title row spread">
        {t.browse.process.waitingAt(nameOf(at))}
        {!prunedAt && (
          <a class="small" href={href("outcomes", { id }, { kind: "SKIPPED", at })}>
            {texts.allOutcomes}
          </a>
        )}
      </h2>
      {prunedAt ? (
        <p class="quiet padded">{t.browse.outcomes.prunedHint}</p>
      ) : (
        <Loaded query={query} lines={3}>
          {(data) => {
            const page = data.upgrade?.outcomes;
            if (!page) return <Skeleton lines={3} />;
            return <Reasons outcomes={page.nodes} at={at} hasMore={page.pageInfo.hasNextPage} />;
          }}
        </Loaded>
      )}
    </section>
  );
}

interface ReasonsProps {
  outcomes: readonly SkippedOutcome[];
  at: string;
  hasMore: boolean;
}

function Reasons({ outcomes, at, hasMore }: ReasonsProps) {
  const texts = t.upgrading;
  const reasons = reasonsAt(outcomes, at);
  if (reasons.length === 0) return <p class="quiet padded">{texts.noneSkipped}</p>;
  return (
    <>
      <ul class="reasons-at">
        {reasons.map(({ code, findings, count, message }) => (
          <li key={`${code} ${findings.join(" ")}`} title={message}>
            <div>
              <strong>{t.codes.reason[code] ?? message}</strong>
              {findings.map((finding) => (
                <div key={finding} class="quiet small">
                  {t.codes.finding[finding] ?? finding}
                </div>
              ))}
            </div>
            <span class="number">{number(count)}</span>
          </li>
        ))}
      </ul>
      {hasMore && <p class="quiet small padded">{texts.amongFirst(outcomes.length)}</p>}
    </>
  );
}
