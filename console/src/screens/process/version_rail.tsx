// All versions in a row, each with the number of its active instances; the chosen one is shown below.
import { useEffect, useRef } from "preact/hooks";
import { Bar } from "../../parts/bar.tsx";
import { changeSearch } from "../../routes.ts";
import { compact, number } from "../../texts/format.ts";
import { t } from "../../texts/index.ts";
import type { Activity, LoadedProcess } from "../process.tsx";

export function VersionRail({
  process,
  activity,
  shown,
}: {
  process: LoadedProcess;
  activity: Activity | null;
  shown: number;
}) {
  const texts = t.browse.process;
  const latest = process.latestPublishedVersion?.number;
  const countOf = new Map(
    activity?.activeByVersion.map(({ version, pending, running }) => [version, pending + running]),
  );
  const most = Math.max(1, ...countOf.values());
  const chosen = useRef<HTMLButtonElement>(null);
  useEffect(() => chosen.current?.scrollIntoView({ block: "nearest", inline: "nearest" }), []); // among many versions
  return (
    <div class="rail" role="group" aria-label={texts.chooseVersion}>
      {process.versions.map(({ number: version, state }) => {
        const count = countOf.get(version) ?? 0;
        return (
          <button
            key={version}
            ref={version === shown ? chosen : undefined}
            type="button"
            aria-pressed={version === shown}
            onClick={() => changeSearch({ version: String(version), at: "" })}
          >
            <span class="row spread" style={{ "--gap": 2 }}>
              <strong>{texts.version(version)}</strong>
              {version === latest && <span class="badge good">{texts.latestShort}</span>}
              {state === "DRAFT" && <span class="badge warn">{t.codes.versionState["DRAFT"]}</span>}
            </span>
            <span class="quiet small number">
              {activity
                ? count
                  ? texts.activeShort(count < 100_000 ? number(count) : compact(count))
                  : texts.noneActive
                : "…"}
            </span>
            <Bar
              parts={[{ value: count, tone: version === latest ? "good" : "warn" }]}
              whole={most}
              label={t.common.instances(count)}
            />
          </button>
        );
      })}
    </div>
  );
}
