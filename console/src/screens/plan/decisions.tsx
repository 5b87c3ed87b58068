// The decision on each group of instances with the same version, status and place.
import { StatusBadge } from "../../parts/badges.tsx";
import { Icon } from "../../parts/icon.tsx";
import { changeSearch, href } from "../../routes.ts";
import { number } from "../../texts/format.ts";
import { t } from "../../texts/index.ts";
import type { Plan, PlannedCohort } from "../plan.tsx";
import type { LoadedProcess } from "../process.tsx";
import { type NameOf, positionText } from "../process/names.ts";

const SHOWN = 100;
const OPEN_VERSIONS = 2;

interface Props {
  process: LoadedProcess;
  plan: Plan;
  reason: string;
  nameOf: NameOf;
}

export function Decisions({ process, plan, reason, nameOf }: Props) {
  const texts = t.planning;
  const shown = plan.cohorts.filter(({ reasons }) => !reason || reasons.some(({ code }) => code === reason));
  const versions = [...new Set(shown.map(({ version }) => version))];
  return (
    <section class="card decisions" aria-labelledby="decisions">
      <h2 id="decisions" class="card-title row spread">
        {texts.decisions}
        {reason && (
          <button type="button" class="button small plain" onClick={() => changeSearch({ reason: "" })}>
            {t.browse.process.showAll}
          </button>
        )}
      </h2>
      {versions.map((version) => (
        <OfVersion
          key={`${version} ${reason}`}
          process={process}
          version={version}
          cohorts={shown.filter((cohort) => cohort.version === version).sort((a, b) => b.count - a.count)}
          isOpen={versions.length <= OPEN_VERSIONS || reason !== ""}
          nameOf={nameOf}
        />
      ))}
    </section>
  );
}

interface OfVersionProps {
  process: LoadedProcess;
  version: number;
  cohorts: PlannedCohort[];
  isOpen: boolean;
  nameOf: NameOf;
}

function OfVersion({ process, version, cohorts, isOpen, nameOf }: OfVersionProps) {
  const countOf = (decision: string) =>
    cohorts.filter((cohort) => cohort.decision === decision).reduce((sum, { count }) => sum + count, 0);
  const more = cohorts.length - SHOWN;
  return (
    <details open={isOpen}>
      <summary>
        <strong>{t.browse.process.version(version)}</strong>{" "}
        <span class="quiet">{t.planning.barLabel(number(countOf("UPGRADE")), number(countOf("SKIP")))}</span>
      </summary>
      <ul>
        {cohorts.slice(0, SHOWN).map((cohort) => (
          <Decision
            key={`${cohort.status} ${cohort.position.join(" ")}`}
            process={process}
            cohort={cohort}
            nameOf={nameOf}
          />
        ))}
      </ul>
      {more > 0 && <p class="quiet small padded">{t.browse.process.moreCohorts(more)}</p>}
    </details>
  );
}

function Decision({
  process: { namespace, code },
  cohort,
  nameOf,
}: {
  process: LoadedProcess;
  cohort: PlannedCohort;
  nameOf: NameOf;
}) {
  const { count, version, status, position, decision, toPosition, reasons, warnings } = cohort;
  const isMoving = decision === "UPGRADE";
  const from = positionText(position, nameOf);
  const to = positionText(toPosition ?? [], nameOf);
  const at = position.length === 1 ? (position[0] ?? "") : "";
  return (
    <li>
      <span class={`decision-sign ${isMoving ? "good" : "warn"}`}>
        <Icon name={isMoving ? "check" : "minus"} size={14} />
        <span class="unseen">{isMoving ? t.planning.moves : t.planning.stays}</span>
      </span>
      <div class="grow">
        <div>
          {from || <span class="quiet">{t.browse.process.noPosition}</span>}
          {isMoving && to !== from && <strong> → {to}</strong>}{" "}
          {status !== "PENDING" && <StatusBadge status={status} />}
        </div>
        {reasons.map((reason) => (
          <div key={reason.code} class="small quiet" title={reason.message}>
            {reason.findings.length === 0
              ? (t.codes.reason[reason.code] ?? reason.message)
              : reason.findings.map((finding) => (
                  <div key={`${finding.code} ${finding.source}`} title={finding.message}>
                    {finding.name || (finding.source && nameOf(finding.source))}:{" "}
                    {t.codes.finding[finding.code] ?? finding.message}
                  </div>
                ))}
          </div>
        ))}
        {warnings.length > 0 && (
          <details class="small">
            <summary class="quiet">{t.planning.warnings(warnings.length)}</summary>
            {warnings.map((warning) => (
              <div key={`${warning.code} ${warning.source}`} title={warning.message}>
                {warning.source && nameOf(warning.source)}: {t.codes.finding[warning.code] ?? warning.message}
              </div>
            ))}
          </details>
        )}
      </div>
      <a
        class="number"
        href={href("process", { namespace, code }, { tab: "instances", version: String(version), status, at })}
        aria-label={t.browse.process.listInstances(count, from)}
      >
        {number(count)}
      </a>
    </li>
  );
}
