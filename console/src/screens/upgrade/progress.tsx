// How far an upgrade is: a bar, its figures, and how fast it has been.
import { useEffect, useRef, useState } from "preact/hooks";
import { announce } from "../../parts/announce.tsx";
import { Bar } from "../../parts/bar.tsx";
import { Figure, Figures } from "../../parts/figures.tsx";
import { duration, number, percent } from "../../texts/format.ts";
import { t } from "../../texts/index.ts";
import { isUnfinished, type LoadedUpgrade } from "../upgrade.tsx";

const ANNOUNCE_EVERY_MS = 10_000;
const KEPT_RATES = 60;

export function Progress({ upgrade }: { upgrade: LoadedUpgrade }) {
  const texts = t.upgrading;
  const { upgraded, skipped, ordered, sent, total, expected, rate, etaSeconds, workedSeconds, workers, state } =
    upgrade;
  const whole = isUnfinished(upgrade) ? Math.max(expected, total) : Math.max(1, total);
  const rates = useRates(total, rate);
  useSpokenProgress(upgrade, whole);
  return (
    <section class="card progress" aria-label={texts.progress}>
      <div class="progress-head">
        <span class="figure number">{percent(total, whole)}</span>
        <span class="quiet">
          {isUnfinished(upgrade)
            ? texts.doneOf(number(total), number(whole))
            : texts.doneAll(t.common.instances(total))}
        </span>
        <span class="grow" />
        {state === "RUNNING" && etaSeconds !== null && <span>{texts.left(duration(etaSeconds))}</span>}
        {state === "QUEUED" && <span class="quiet">{texts.waitsForWorker}</span>}
        {state === "PAUSED" && <span class="quiet">{texts.pausedHint}</span>}
      </div>
      <Bar
        parts={[
          { value: upgraded, tone: "good" },
          { value: skipped, tone: "warn" },
          { value: ordered + sent, tone: "accent" },
        ]}
        whole={whole}
        label={t.browse.upgrades.progressOf(upgraded, skipped, whole)}
      />
      <Figures>
        <Figure
          title={t.browse.upgrades.upgraded}
          value={number(upgraded)}
          tone={upgraded ? "good" : undefined}
          note={percent(upgraded, total)}
        />
        <Figure
          title={t.browse.upgrades.skipped}
          value={number(skipped)}
          tone={skipped ? "warn" : undefined}
          note={percent(skipped, total)}
        />
        {ordered + sent > 0 && (
          <Figure
            title={texts.atEngine}
            value={number(ordered + sent)}
            note={texts.atEngineNote(number(ordered), number(sent))}
          />
        )}
        <Figure
          title={texts.speed}
          value={rate === null ? "–" : texts.perSecond(number(Math.round(rate)))}
          isText
          note={<Sparkline values={rates} />}
        />
        <Figure
          title={texts.worked}
          value={duration(workedSeconds)}
          isText
          note={state === "RUNNING" ? texts.workers(workers.length) : ""}
        />
      </Figures>
    </section>
  );
}

function useRates(total: number, rate: number | null): number[] {
  const [rates, setRates] = useState<number[]>([]);
  useEffect(() => {
    if (rate !== null) setRates((last) => [...last, rate].slice(-KEPT_RATES));
  }, [total]);
  return rates;
}

// Screen readers hear of progress now and then, not at each event.
function useSpokenProgress(upgrade: LoadedUpgrade, whole: number): void {
  const last = useRef(Date.now());
  useEffect(() => {
    if (upgrade.state !== "RUNNING" || Date.now() - last.current < ANNOUNCE_EVERY_MS) return;
    last.current = Date.now();
    announce(t.common.progress(t.codes.state[upgrade.state] ?? "", upgrade.total, whole), { isSilent: true });
  }, [upgrade.total]);
}

function Sparkline({ values }: { values: number[] }) {
  if (values.length < 3) return null;
  const largest = Math.max(...values, 1);
  const points = values.map((value, index) => `${(100 * index) / (values.length - 1)},${22 - (20 * value) / largest}`);
  return (
    <svg class="sparkline" viewBox="0 0 100 24" preserveAspectRatio="none" aria-hidden="true">
      <polyline points={points.join(" ")} />
    </svg>
  );
}
