// One upgrade: its progress while it runs, what an operator can do with it, and why instances were skipped.
import { useEffect, useMemo } from "preact/hooks";
import {
  ProcessChangedDocument,
  UpgradeDocument,
  UpgradeProgressDocument,
  type UpgradeQuery,
} from "../api/operations.ts";
import { useQuery, useSubscription } from "../api/use_query.ts";
import { uuidIn } from "../ids.ts";
import { announce } from "../parts/announce.tsx";
import { StateBadge } from "../parts/badges.tsx";
import { Headline } from "../parts/headline.tsx";
import { Loaded, Vacant } from "../parts/states.tsx";
import { href, type ScreenProps, type Search } from "../routes.ts";
import { ago, date } from "../texts/format.ts";
import { t } from "../texts/index.ts";
import { Actions } from "./upgrade/actions.tsx";
import { Events, Related } from "./upgrade/events.tsx";
import { Progress } from "./upgrade/progress.tsx";
import { Skipped } from "./upgrade/skipped.tsx";
import { useVersionsOf } from "./upgrade/versions_of.ts";
import { WhereSkipped } from "./upgrade/where_skipped.tsx";

export type LoadedUpgrade = NonNullable<UpgradeQuery["upgrade"]>;

const EVERY_MS = 2_000;
const ALWAYS_EVERY_MS = 10_000; // reasons while it runs; afterwards what others do: an undo, or a retry
const UNFINISHED = new Set(["QUEUED", "RUNNING", "PAUSED"]);

export const isUnfinished = ({ state }: Pick<LoadedUpgrade, "state">): boolean => UNFINISHED.has(state);

export function Upgrade({ params, search }: ScreenProps<"upgrade">) {
  const id = uuidIn(params.id);
  const query = useQuery(UpgradeDocument, { id: id ?? "" }, { every: ALWAYS_EVERY_MS, pause: id === null });
  const loaded = query.data?.upgrade ?? null;
  const isFollowed = id !== null && loaded !== null && isUnfinished(loaded);
  const progress = useSubscription(UpgradeProgressDocument, { id: id ?? "" }, { pause: !isFollowed });
  const event = progress.data?.upgradeProgress;
  // Without events the same is read again and again; with them once more at the end, for what events do not say.
  useEffect(() => {
    if (!isFollowed || progress.isLive) return;
    const timer = setTimeout(query.reload, EVERY_MS);
    return () => clearTimeout(timer);
  }, [isFollowed, progress.isLive, query.at, query.failure]);
  useEffect(() => {
    if (event && event.state !== loaded?.state) query.reload();
  }, [event?.state]);
  const isOver = loaded !== null && !isFollowed;
  const { namespace = "", code = "" } = loaded?.process ?? {};
  const moved = useSubscription(ProcessChangedDocument, { namespace, code }, { pause: !isOver });
  useEffect(() => {
    if (moved.data) query.reload();
  }, [moved.data]);
  const upgrade = useMemo(
    () => (loaded && event && isFollowed ? { ...loaded, ...event } : loaded),
    [loaded, event, isFollowed],
  );
  useEffect(() => {
    if (upgrade) announce(t.upgrading.announced(t.codes.state[upgrade.state] ?? upgrade.state), { isSilent: true });
  }, [upgrade?.state]);
  if (id === null) return <Unknown />;
  return (
    <Loaded query={query}>
      {() => (upgrade ? <Shown upgrade={upgrade} search={search} onChange={query.reload} /> : <Unknown />)}
    </Loaded>
  );
}

function Unknown() {
  return (
    <Vacant title={t.browse.outcomes.unknown}>
      <p>
        <a href={href("upgrades", {})}>{t.browse.upgrades.clear}</a>
      </p>
    </Vacant>
  );
}

export function titleOf({ selection, targetVersion }: Pick<LoadedUpgrade, "selection" | "targetVersion">): string {
  if (selection === "UNDO") return t.codes.selection["UNDO"] ?? selection;
  const what = targetVersion ? t.upgrading.toVersion(targetVersion) : t.browse.upgrades.back;
  return selection === "RETRY" ? `${t.codes.selection["RETRY"]}: ${what}` : what;
}

function Shown({ upgrade, search, onChange }: { upgrade: LoadedUpgrade; search: Search; onChange: () => void }) {
  const texts = t.upgrading;
  const { numbers, nameOf } = useVersionsOf(upgrade);
  const { process, requestedBy, requestedAt, reason, error, prunedAt } = upgrade;
  return (
    <div class="stack">
      <Headline
        title={titleOf(upgrade)}
        crumbs={[
          { text: t.common.processes, href: href("processes", {}) },
          { text: process.title, href: href("process", process) },
          { text: t.common.upgrades, href: href("process", process, { tab: "upgrades" }) },
        ]}
        below={
          <span class="row" style={{ "--gap": 2 }}>
            <StateBadge state={upgrade.state} />
            <span>
              {selectionText(upgrade)} · {requestedBy}, {ago(requestedAt)}
              {reason && ` · ${reason}`}
            </span>
          </span>
        }
        actions={<Actions upgrade={upgrade} onChange={onChange} />}
      />
      {error && (
        <div class="notice bad" role="alert">
          <strong>{texts.failed}</strong>
          <span>{error}</span>
        </div>
      )}
      {prunedAt && (
        <div class="notice">
          {t.browse.outcomes.pruned(date(prunedAt))}. {t.browse.outcomes.prunedHint}
        </div>
      )}
      <Progress upgrade={upgrade} />
      <div class="split">
        <Skipped upgrade={upgrade} />
        <div class="stack">
          <Related upgrade={upgrade} />
          <Events upgrade={upgrade} />
        </div>
      </div>
      {upgrade.skipped > 0 && <WhereSkipped upgrade={upgrade} search={search} versions={numbers} nameOf={nameOf} />}
    </div>
  );
}

function selectionText({ selection, selectedCount, exceptCount, conditions }: LoadedUpgrade): string {
  const texts = t.upgrading;
  const parts = [
    selectedCount === null ? (t.codes.selection[selection] ?? selection) : t.common.instances(selectedCount),
  ];
  if (conditions?.versions) parts.push(texts.ofVersions(conditions.versions.join(", ")));
  if (conditions?.elements) parts.push(texts.atElements(conditions.elements.join(", ")));
  if (conditions?.limit) parts.push(texts.first(conditions.limit));
  if (exceptCount) parts.push(texts.except(exceptCount));
  return parts.join(", ");
}
