// Why instances were skipped: by reason and by what was found at their elements. Each leads to the outcomes.
import { Counted, type CountedItem } from "../../parts/counted.tsx";
import { Vacant } from "../../parts/states.tsx";
import { href } from "../../routes.ts";
import { t } from "../../texts/index.ts";
import type { LoadedUpgrade } from "../upgrade.tsx";

export function Skipped({ upgrade }: { upgrade: LoadedUpgrade }) {
  const texts = t.upgrading;
  const { id, skipped, countsByReason, countsByFinding, prunedAt } = upgrade;
  if (skipped === 0) {
    return (
      <Vacant title={upgrade.total ? texts.noneSkipped : texts.nothingYet}>
        {upgrade.total > 0 && (
          <p>
            <a href={href("outcomes", { id })}>{texts.allOutcomes}</a>
          </p>
        )}
      </Vacant>
    );
  }
  const address = (search: Record<string, string>) =>
    prunedAt ? undefined : href("outcomes", { id }, { kind: "SKIPPED", ...search });
  const reasons: CountedItem[] = countsByReason.map(({ code, count }) => ({
    key: code,
    text: t.codes.reason[code] ?? code,
    count,
    href: address({ reason: code }),
  }));
  const errors = countsByFinding.filter(({ severity }) => severity === "ERROR");
  const findings: CountedItem[] = errors.map(({ code, count }) => ({
    key: code,
    text: t.codes.finding[code] ?? code,
    count,
    href: address({ finding: code }),
  }));
  return (
    <section class="card" aria-labelledby="skipped">
      <h2 id="skipped" class="card-title row spread">
        {texts.whySkipped}
        {!prunedAt && (
          <a class="small" href={href("outcomes", { id })}>
            {texts.allOutcomes}
          </a>
        )}
      </h2>
      <Counted items={reasons} whole={skipped} tone="warn" />
      {findings.length > 0 && <Counted title={texts.byFinding} items={findings} whole={skipped} tone="bad" />}
      <p class="quiet small padded">{texts.countsOverlap}</p>
    </section>
  );
}
