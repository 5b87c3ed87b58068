// What an upgrade would do, in numbers: who moves, who stays and why, who is left out, and how long it takes.
import { Bar } from "../../parts/bar.tsx";
import { Figure, Figures } from "../../parts/figures.tsx";
import { changeSearch } from "../../routes.ts";
import { duration, number, percent } from "../../texts/format.ts";
import { t } from "../../texts/index.ts";
import type { Plan } from "../plan.tsx";

export function Outlook({ plan, reason }: { plan: Plan; reason: string }) {
  const texts = t.planning;
  const { upgraded, skipped, excluded, notFound, total, expectedSeconds, countsByReason } = plan;
  return (
    <section class="card" aria-label={texts.outlook}>
      <Figures>
        <Figure
          title={texts.moves}
          value={number(upgraded)}
          tone={upgraded ? "good" : undefined}
          note={texts.ofAll(percent(upgraded, total))}
        />
        <Figure
          title={texts.stays}
          value={number(skipped)}
          tone={skipped ? "warn" : undefined}
          note={skipped ? texts.seeWhy : ""}
        />
        <Figure title={texts.leftOut} value={number(excluded)} note={notFound ? texts.notFound(notFound) : ""} />
        <Figure
          title={texts.takes}
          value={expectedSeconds === null ? texts.unknownTime : duration(expectedSeconds)}
          isText
          note={expectedSeconds === null ? texts.unknownTimeHint : texts.fromEarlier}
        />
      </Figures>
      <div class="outlook-bar">
        <Bar
          parts={[
            { value: upgraded, tone: "good" },
            { value: skipped, tone: "warn" },
          ]}
          whole={total}
          label={texts.barLabel(number(upgraded), number(skipped))}
        />
      </div>
      {countsByReason.length > 0 && (
        <div class="reasons" role="group" aria-label={texts.whyStay}>
          <span class="quiet small">{texts.whyStay}</span>
          {[...countsByReason]
            .sort((a, b) => b.count - a.count)
            .map(({ code, count }) => (
              <button
                key={code}
                type="button"
                class="button small"
                aria-pressed={reason === code}
                onClick={() => changeSearch({ reason: reason === code ? "" : code })}
              >
                {t.codes.reason[code] ?? code} <span class="number quiet">{number(count)}</span>
              </button>
            ))}
        </div>
      )}
    </section>
  );
}
