// One instance: where it is in its process, and what upgrades did to it.
import { useMemo } from "preact/hooks";
import { InstanceDocument, type InstanceQuery, VersionModelDocument } from "../api/operations.ts";
import { useQuery } from "../api/use_query.ts";
import { Diagram, type ElementLabel } from "../diagram/diagram.tsx";
import { uuidIn } from "../ids.ts";
import { Action } from "../parts/actions.tsx";
import { Figure, Figures } from "../parts/figures.tsx";
import { Headline } from "../parts/headline.tsx";
import { Icon } from "../parts/icon.tsx";
import { Loaded, Skeleton, Vacant } from "../parts/states.tsx";
import { href, type ScreenProps } from "../routes.ts";
import { dateTime, number } from "../texts/format.ts";
import { t } from "../texts/index.ts";
import { type NameOf, namesIn, positionText } from "./process/names.ts";

type LoadedInstance = NonNullable<InstanceQuery["instance"]>;
type Entry = LoadedInstance["history"][number];

const EVERY_MS = 10_000;

export function Instance({ params }: ScreenProps<"instance">) {
  const id = uuidIn(params.id);
  const query = useQuery(InstanceDocument, { id: id ?? "" }, { every: EVERY_MS, pause: id === null });
  if (id === null) return <Unknown title={t.browse.instance.noId(params.id)} hint={t.browse.instance.noIdHint} />;
  return (
    <Loaded query={query}>
      {({ instance }) =>
        instance ? (
          <Shown instance={instance} />
        ) : (
          <Unknown title={t.browse.instance.unknown} hint={t.browse.instance.unknownHint(id)} />
        )
      }
    </Loaded>
  );
}

function Unknown({ title, hint }: { title: string; hint: string }) {
  return (
    <Vacant title={title}>
      <p>{hint}</p>
      <p>
        <a href={href("processes", {})}>{t.common.notHere.back}</a>
      </p>
    </Vacant>
  );
}

function Shown({ instance }: { instance: LoadedInstance }) {
  const texts = t.browse.instance;
  const { process, version, position } = instance;
  const { namespace, code } = process;
  const latest = process.latestPublishedVersion?.number ?? null;
  const model = useQuery(VersionModelDocument, { namespace, code, number: version });
  const shown = model.data?.process?.version;
  const nameOf = useMemo(() => namesIn(shown?.elements), [shown]);
  const labels = useMemo(
    () => (): ElementLabel[] =>
      position.map((elementId) => ({
        elementId,
        text: texts.here,
        title: texts.hereAt(nameOf(elementId)),
        tone: "waiting",
      })),
    [position.join(" "), nameOf],
  );
  return (
    <div class="stack">
      <Headline
        title={texts.title}
        crumbs={[
          { text: t.common.processes, href: href("processes", {}) },
          { text: process.title, href: href("process", { namespace, code }) },
        ]}
        below={<code>{instance.instanceId}</code>}
        actions={
          <Action
            kind="primary"
            isOpenToReaders
            blocked={blockedBecause(instance, latest)}
            href={href("plan", { namespace, code }, { ids: instance.instanceId })}
          >
            {latest ? t.browse.process.upgradeTo(latest) : t.browse.process.upgrade}
          </Action>
        }
      />
      <Figures>
        <Figure title={t.browse.process.status} value={t.codes.status[instance.status] ?? instance.status} isText />
        <Figure
          title={t.browse.process.versionTitle}
          value={number(version)}
          note={latest === null ? "" : version < latest ? texts.behind(latest) : texts.onLatest}
          tone={latest !== null && version < latest ? "warn" : undefined}
        />
        <Figure
          title={t.browse.process.place}
          value={position.length ? positionText(position, nameOf) : t.browse.process.noPosition}
          isText
          note={
            positionText(position, nameOf) === positionText(position, (id) => id) ? (
              ""
            ) : (
              <code>{position.join(" ")}</code>
            )
          }
        />
      </Figures>
      <div class="split">
        {shown?.bpmn ? (
          <Diagram
            xml={shown.bpmn}
            title={t.browse.process.versionOf(process.title, version)}
            labels={labels}
            pointed={position}
          />
        ) : shown ? (
          <Vacant title={t.browse.process.noModel} />
        ) : (
          <Skeleton lines={8} />
        )}
        <History entries={instance.history} nameOf={nameOf} />
      </div>
    </div>
  );
}

function blockedBecause({ status, version }: LoadedInstance, latest: number | null): string | null {
  if (latest === null) return t.browse.process.nothingPublished;
  if (version >= latest) return t.codes.reason["ALREADY_LATEST"] ?? null;
  return status === "PENDING" ? null : t.browse.instance.onlyWaiting;
}

function History({ entries, nameOf }: { entries: readonly Entry[]; nameOf: NameOf }) {
  const texts = t.browse.instance;
  return (
    <section class="card" aria-labelledby="history">
      <h2 id="history" class="card-title">
        {texts.history}
      </h2>
      {entries.length === 0 ? (
        <p class="quiet padded">{texts.noHistory}</p>
      ) : (
        <ol class="timeline">
          {[...entries].reverse().map((entry) => (
            <HistoryItem key={`${entry.upgrade.id} ${entry.kind}`} entry={entry} nameOf={nameOf} />
          ))}
        </ol>
      )}
    </section>
  );
}

function HistoryItem({ entry, nameOf }: { entry: Entry; nameOf: NameOf }) {
  const texts = t.browse.instance;
  const isUpgraded = entry.kind === "UPGRADED";
  const from = positionText(entry.fromPosition, nameOf);
  const to = positionText(entry.toPosition, nameOf);
  return (
    <li class={isUpgraded ? "good" : "quiet-mark"}>
      <span class="timeline-sign">
        <Icon name={entry.upgrade.selection === "UNDO" ? "undo" : isUpgraded ? "check" : "minus"} size={14} />
      </span>
      <div class="stack" style={{ "--gap": 0.5 }}>
        <strong>
          {isUpgraded ? texts.movedTo(entry.fromVersion, entry.toVersion) : texts.skipped(entry.fromVersion)}
        </strong>
        {isUpgraded && from !== to && (
          <span>
            {from || "–"} → {to || "–"}
          </span>
        )}
        {entry.reasons.map(({ code, message }) => (
          <span key={code} title={message}>
            {t.codes.reason[code] ?? message}
          </span>
        ))}
        <span class="quiet small">
          <time dateTime={entry.when}>{dateTime(entry.when)}</time> · {entry.upgrade.requestedBy}
          {entry.upgrade.reason && ` · ${entry.upgrade.reason}`}
        </span>
        <a class="small" href={href("upgrade", { id: entry.upgrade.id })}>
          {texts.toUpgrade}
        </a>
      </div>
    </li>
  );
}
