// What happened to an upgrade and by whom, and the upgrades that belong to it.
import { StateBadge } from "../../parts/badges.tsx";
import { Icon, type IconName } from "../../parts/icon.tsx";
import { href } from "../../routes.ts";
import { ago, dateTime } from "../../texts/format.ts";
import { t } from "../../texts/index.ts";
import { type LoadedUpgrade, titleOf } from "../upgrade.tsx";

const ICONS: Record<string, IconName> = {
  REQUESTED: "plus",
  STARTED: "play",
  PAUSED: "pause",
  RESUMED: "play",
  CANCELLED: "cross",
  COMPLETED: "check",
  FAILED: "warn",
  PRUNED: "minus",
};

export function Events({ upgrade: { events } }: { upgrade: LoadedUpgrade }) {
  return (
    <section class="card" aria-labelledby="events">
      <h2 id="events" class="card-title">
        {t.upgrading.events}
      </h2>
      <ol class="timeline">
        {[...events].reverse().map(({ at, kind, by }) => (
          <li key={`${at} ${kind}`} class={kind === "COMPLETED" ? "good" : ""}>
            <span class="timeline-sign">
              <Icon name={ICONS[kind] ?? "clock"} size={14} />
            </span>
            <div>
              <strong>{t.codes.event[kind] ?? kind}</strong>
              <div class="quiet small">
                <time dateTime={at}>{dateTime(at)}</time>
                {by && ` · ${by}`}
              </div>
            </div>
          </li>
        ))}
      </ol>
    </section>
  );
}

export function Related({ upgrade }: { upgrade: LoadedUpgrade }) {
  const texts = t.upgrading;
  const { of, undoneBy, retries, mappings, excluded } = upgrade;
  const instructions = mappings.flatMap(({ fromVersion, instructions: all }) =>
    all.map(({ source, target }) => ({ fromVersion, source, target })),
  );
  if (!of && !undoneBy && retries.nodes.length === 0 && instructions.length === 0 && !excluded) return null;
  return (
    <section class="card padded stack" style={{ "--gap": 3 }}>
      {of && (
        <p>
          {upgrade.selection === "UNDO" ? texts.undoes : texts.retries}{" "}
          <a href={href("upgrade", { id: of.id })}>{titleOf(of)}</a>
        </p>
      )}
      {undoneBy && (
        <p class="row" style={{ "--gap": 2 }}>
          <a href={href("upgrade", { id: undoneBy.id })}>{texts.undoneBy(t.common.instances(undoneBy.upgraded))}</a>
          <StateBadge state={undoneBy.state} />
        </p>
      )}
      {retries.nodes.map(({ id, state, requestedAt }) => (
        <p key={id} class="row" style={{ "--gap": 2 }}>
          <a href={href("upgrade", { id })}>{texts.retriedAt(ago(requestedAt))}</a>
          <StateBadge state={state} />
        </p>
      ))}
      {excluded > 0 && <p class="quiet">{texts.excluded(t.common.instances(excluded))}</p>}
      {instructions.length > 0 && (
        <div>
          <h3>{texts.mappings}</h3>
          <ul class="small mono">
            {instructions.map(({ fromVersion, source, target }) => (
              <li key={`${fromVersion} ${source}`}>
                {fromVersion}: {source} → {target}
              </li>
            ))}
          </ul>
        </div>
      )}
    </section>
  );
}
