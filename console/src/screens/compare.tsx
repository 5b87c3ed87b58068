// Two versions on their diagrams, one above the other, and what differs between them as a list.
import { useMemo } from "preact/hooks";
import { ComparisonDocument, ProcessDocument, VersionModelDocument } from "../api/operations.ts";
import { useQuery } from "../api/use_query.ts";
import { Diagram, type ElementLabel, makeLink, type Mark } from "../diagram/diagram.tsx";
import { Icon } from "../parts/icon.tsx";
import { Headline } from "../parts/headline.tsx";
import { Loaded, Skeleton, Vacant } from "../parts/states.tsx";
import { useKeys } from "../parts/use_keys.ts";
import { changeSearch, href, type ScreenProps } from "../routes.ts";
import { t } from "../texts/index.ts";
import { type Comparison, type Difference, differencesOf, GROUPS, SIGNS, type Group } from "./compare/differences.ts";
import type { LoadedProcess } from "./process.tsx";

export function Compare({ params, search }: ScreenProps<"compare">) {
  const query = useQuery(ProcessDocument, params);
  return (
    <Loaded query={query}>
      {({ process }) =>
        process && process.versions.length > 1 ? (
          <Versions process={process} search={search} />
        ) : (
          <Vacant
            title={process ? t.browse.compare.onlyOne : t.browse.process.unknown(`${params.namespace}/${params.code}`)}
          />
        )
      }
    </Loaded>
  );
}

function Versions({ process, search }: { process: LoadedProcess; search: Record<string, string> }) {
  const { namespace, code } = process;
  const numbers = process.versions.map(({ number }) => number);
  const latest = process.latestPublishedVersion?.number ?? numbers.at(-1) ?? 0;
  const to = numbers.find((number) => String(number) === search["to"]) ?? latest;
  const before = numbers.filter((number) => number !== to);
  const from = numbers.find((number) => String(number) === search["from"]) ?? before.at(-1) ?? to;
  const query = useQuery(ComparisonDocument, { namespace, code, fromVersion: from, toVersion: to });
  return (
    <div class="stack">
      <Headline
        title={t.browse.compare.title(from, to)}
        crumbs={[
          { text: t.common.processes, href: href("processes", {}) },
          { text: process.title, href: href("process", { namespace, code }) },
        ]}
        actions={<Choices process={process} from={from} to={to} />}
      />
      <Loaded query={query} lines={10}>
        {(data) => {
          const comparison = data.process?.comparison;
          if (!comparison) return <Vacant title={t.browse.compare.nothing} />;
          return (
            <Sides key={`${from} ${to}`} process={process} comparison={comparison} chosenKey={search["item"] ?? ""} />
          );
        }}
      </Loaded>
    </div>
  );
}

function Choices({ process, from, to }: { process: LoadedProcess; from: number; to: number }) {
  const texts = t.browse.compare;
  const choice = (name: "from" | "to", label: string, value: number) => (
    <select
      class="input order"
      aria-label={label}
      value={String(value)}
      onChange={(event) => changeSearch({ [name]: event.currentTarget.value, item: "" })}
    >
      {process.versions.map(({ number, state }) => (
        <option key={number} value={String(number)}>
          {`${label}: ${number}${state === "DRAFT" ? ` (${t.codes.versionState["DRAFT"]})` : ""}`}
        </option>
      ))}
    </select>
  );
  return (
    <>
      {choice("from", texts.from, from)}
      <button
        type="button"
        class="button plain"
        aria-label={texts.swap}
        title={texts.swap}
        onClick={() => changeSearch({ from: String(to), to: String(from), item: "" })}
      >
        <Icon name="change" />
      </button>
      {choice("to", texts.to, to)}
    </>
  );
}

function Sides({
  process,
  comparison,
  chosenKey,
}: {
  process: LoadedProcess;
  comparison: Comparison;
  chosenKey: string;
}) {
  const differences = useMemo(() => differencesOf(comparison), [comparison]);
  const link = useMemo(makeLink, []);
  const index = differences.findIndex(({ key }) => key === chosenKey);
  const chosen = differences[index];
  const choose = (difference: Difference | undefined) => changeSearch({ item: difference?.key ?? "" });
  const step = (by: number) => choose(differences[(index + by + differences.length) % Math.max(1, differences.length)]);
  useKeys({ n: () => step(1), p: () => step(index < 0 ? 0 : -1), Escape: () => choose(undefined) });
  const chooseElement = (side: "source" | "target") => (elementId: string | null) =>
    choose(differences.find((difference) => elementId !== null && difference[side] === elementId));
  return (
    <div class="split">
      <div class="stack" style={{ "--gap": 3 }}>
        <Side
          process={process}
          number={comparison.fromVersion}
          differences={differences}
          side="source"
          chosen={chosen?.source ?? null}
          onChoose={chooseElement("source")}
          link={link}
        />
        <Side
          process={process}
          number={comparison.toVersion}
          differences={differences}
          side="target"
          chosen={chosen?.target ?? null}
          onChoose={chooseElement("target")}
          link={link}
        />
      </div>
      <List differences={differences} chosen={chosen} onChoose={choose} />
    </div>
  );
}

interface SideProps {
  process: LoadedProcess;
  number: number;
  differences: Difference[];
  side: "source" | "target";
  chosen: string | null;
  onChoose: (elementId: string | null) => void;
  link: ReturnType<typeof makeLink>;
}

function Side({ process, number, differences, side, chosen, onChoose, link }: SideProps) {
  const { namespace, code, title } = process;
  const query = useQuery(VersionModelDocument, { namespace, code, number });
  const marks = useMemo(() => marksOf(differences, side), [differences, side]);
  const labels = useMemo(() => () => lettersOf(marks), [marks]);
  const model = query.data?.process?.version;
  return (
    <section class="stack" style={{ "--gap": 1.5 }}>
      <h2>
        {t.browse.process.version(number)} <span class="quiet small">{t.browse.compare[side]}</span>
      </h2>
      {model?.bpmn ? (
        <Diagram
          xml={model.bpmn}
          title={t.browse.process.versionOf(title, number)}
          marks={marks}
          labels={labels}
          chosen={chosen}
          onChoose={onChoose}
          link={link}
        />
      ) : model ? (
        <Vacant title={t.browse.process.noModel} />
      ) : (
        <Skeleton lines={6} />
      )}
    </section>
  );
}

const MARKS: Record<Group, Mark> = {
  error: "blocked",
  warning: "changed",
  added: "added",
  removed: "removed",
  changed: "changed",
};

// The gravest difference of an element marks it: the groups come in this order.
function marksOf(differences: Difference[], side: "source" | "target"): Map<string, Mark> {
  const marks = new Map<string, Mark>();
  for (const difference of differences) {
    const id = difference[side];
    if (id && !marks.has(id) && (side === "source" || difference.group !== "error"))
      marks.set(id, MARKS[difference.group]);
  }
  return marks;
}

function lettersOf(marks: Map<string, Mark>): ElementLabel[] {
  const groups = Object.entries(MARKS) as [Group, Mark][];
  return [...marks].map(([elementId, mark]) => {
    const group = groups.find(([, each]) => each === mark)?.[0] ?? "changed";
    const shown = mark === "changed" ? "changed" : group;
    return {
      elementId,
      text: SIGNS[shown],
      title: t.browse.compare.groups[shown],
      tone: mark === "blocked" ? "removed" : (mark as "added"),
    };
  });
}

function List({
  differences,
  chosen,
  onChoose,
}: {
  differences: Difference[];
  chosen: Difference | undefined;
  onChoose: (difference: Difference) => void;
}) {
  const texts = t.browse.compare;
  if (differences.length === 0) return <Vacant title={texts.same} />;
  return (
    <section class="card differences" aria-label={texts.list}>
      {GROUPS.map((group) => {
        const items = differences.filter((difference) => difference.group === group);
        if (items.length === 0) return null;
        return (
          <div key={group}>
            <h2 class={group}>
              <span class="sign" aria-hidden="true">
                {SIGNS[group]}
              </span>
              {texts.groups[group]} <span class="quiet number">{items.length}</span>
            </h2>
            <ul>
              {items.map((difference) => (
                <li key={difference.key}>
                  <button type="button" aria-pressed={difference === chosen} onClick={() => onChoose(difference)}>
                    <strong>{difference.title}</strong>
                    <span class="quiet small">{difference.detail}</span>
                  </button>
                </li>
              ))}
            </ul>
          </div>
        );
      })}
      <p class="quiet small padded">
        <kbd>n</kbd> <kbd>p</kbd> {texts.keys}
      </p>
    </section>
  );
}
