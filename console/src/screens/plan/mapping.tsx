// Maps elements that have no counterpart: pick one on the diagram or in the list, then what takes its place.
import { useEffect, useMemo, useState } from "preact/hooks";
import { MappingTargetsDocument, VersionModelDocument } from "../../api/operations.ts";
import { useQuery } from "../../api/use_query.ts";
import { Arrows } from "../../diagram/arrows.tsx";
import { Diagram, type ElementLabel, makeLink, type Mark } from "../../diagram/diagram.tsx";
import type { View } from "../../diagram/viewer.ts";
import { announce } from "../../parts/announce.tsx";
import { Badge } from "../../parts/badges.tsx";
import { CopyButton } from "../../parts/copy.tsx";
import { changeSearch } from "../../routes.ts";
import { compact, number } from "../../texts/format.ts";
import { t } from "../../texts/index.ts";
import type { Plan } from "../plan.tsx";
import type { LoadedProcess } from "../process.tsx";
import { type NameOf, namesIn } from "../process/names.ts";
import { blockersIn } from "./blockers.ts";
import {
  type Instruction,
  instructionsText,
  mappingsOf,
  ofVersion,
  type PlanRequest,
  withInstruction,
} from "./request.ts";

interface Props {
  process: LoadedProcess;
  request: PlanRequest;
  plan: Plan;
  // The source version that is shown, as in the address.
  version: string;
}

export function Mapping({ process, request, plan, version }: Props) {
  const texts = t.planning;
  const blockers = useMemo(() => blockersIn(plan.cohorts), [plan]);
  const mapped = request.instructions.map(({ fromVersion }) => fromVersion);
  const versions = [...new Set([...blockers.keys(), ...mapped])].sort((a, b) => a - b);
  const shown = versions.find((each) => String(each) === version) ?? null;
  if (versions.length === 0) return null;
  return (
    <section class="card mapping" aria-labelledby="mapping">
      <header class="card-title row spread">
        <div>
          <h2 id="mapping">{texts.mapping}</h2>
          <p class="quiet small">{texts.mappingHint}</p>
        </div>
        <div class="row">
          {mapped.length > 0 && (
            <CopyButton text={JSON.stringify(mappingsOf(request.instructions), null, 2)}>
              {texts.copyMapping}
            </CopyButton>
          )}
          <div class="segments" role="group" aria-label={texts.mapFrom}>
            {versions.map((each) => (
              <button
                key={each}
                type="button"
                aria-pressed={each === shown}
                onClick={() => changeSearch({ from: each === shown ? "" : String(each) })}
              >
                {t.browse.process.version(each)} <span class="pill number">{number(sum(blockers.get(each)))}</span>
              </button>
            ))}
          </div>
        </div>
      </header>
      {shown !== null && (
        <FromVersion
          key={shown}
          process={process}
          from={shown}
          to={plan.targetVersion}
          blocked={blockers.get(shown) ?? new Map()}
          instructions={request.instructions}
        />
      )}
    </section>
  );
}

const sum = (counts: Map<string, number> | undefined): number => Math.max(0, ...(counts?.values() ?? []));

interface FromVersionProps {
  process: LoadedProcess;
  from: number;
  to: number;
  blocked: Map<string, number>;
  instructions: Instruction[];
}

function FromVersion({ process, from, to, blocked, instructions }: FromVersionProps) {
  const { namespace, code, title } = process;
  const source = useQuery(VersionModelDocument, { namespace, code, number: from }).data?.process?.version;
  const target = useQuery(VersionModelDocument, { namespace, code, number: to }).data?.process?.version;
  const own = ofVersion(instructions, from);
  const rows = [...new Set([...own.map((each) => each.source), ...blocked.keys()])];
  const [picked, setPicked] = useState<string | null>(rows[0] ?? null);
  const link = useMemo(makeLink, []);
  const sourceName = useMemo(() => namesIn(source?.elements), [source]);
  const targetName = useMemo(() => namesIn(target?.elements), [target]);
  const others = own.filter((each) => each.source !== picked);
  const targets = useQuery(
    MappingTargetsDocument,
    { namespace, code, fromVersion: from, toVersion: to, instructions: others, source: picked ?? "" },
    { pause: picked === null },
  );
  const allowed = targets.data?.process?.comparison?.targets?.filter(({ isAllowed }) => isAllowed) ?? null;
  const targetOf = (element: string) => own.find((each) => each.source === element)?.target ?? "";
  const map = (element: string, to_: string) => {
    changeSearch({
      map: instructionsText(withInstruction(instructions, { fromVersion: from, source: element, target: to_ })),
    });
    announce(
      to_ ? t.planning.mappedTo(sourceName(element), targetName(to_)) : t.planning.unmapped(sourceName(element)),
    );
  };
  const pickTarget = (element: string | null) => {
    if (!picked || !element) return;
    if (allowed?.some(({ element: each }) => each.elementId === element)) map(picked, element);
    else announce(t.planning.notAllowed(targetName(element), sourceName(picked)));
  };
  const sourceMarks = useMemo(
    () => new Map<string, Mark>(rows.map((id) => [id, targetOf(id) ? "added" : "blocked"])),
    [rows.join(" "), JSON.stringify(own)],
  );
  const targetMarks = useMemo(
    () => new Map<string, Mark>(own.map((each) => [each.target, "added"])),
    [JSON.stringify(own)],
  );
  const labels = useMemo(
    () => (): ElementLabel[] =>
      [...blocked].map(([elementId, count]) => ({
        elementId,
        text: compact(count),
        title: t.diagram.waitingAt(t.common.instances(count), sourceName(elementId)),
        tone: "waiting",
      })),
    [blocked, sourceName],
  );
  const arrows = useMemo(
    () => own.map(({ source: from_, target: to_ }) => ({ source: from_, target: to_, isChosen: from_ === picked })),
    [JSON.stringify(own), picked],
  );
  const [sourceView, setSourceView] = useState<View | null>(null);
  const [targetView, setTargetView] = useState<View | null>(null);
  const pointed = useMemo(() => (allowed ?? []).map(({ element }) => element.elementId), [allowed]);
  return (
    <div class="mapping-body">
      <div class="mapping-diagrams">
        {source?.bpmn && (
          <Diagram
            xml={source.bpmn}
            title={t.browse.process.versionOf(title, from)}
            marks={sourceMarks}
            labels={labels}
            chosen={picked}
            onChoose={(element) => element && rows.includes(element) && setPicked(element)}
            onOpen={setSourceView}
            link={link}
          />
        )}
        {target?.bpmn && (
          <Diagram
            xml={target.bpmn}
            title={t.browse.process.versionOf(title, to)}
            marks={targetMarks}
            pointed={pointed}
            onChoose={pickTarget}
            onOpen={setTargetView}
            link={link}
          />
        )}
        <Arrows from={sourceView} to={targetView} arrows={arrows} link={link} />
      </div>
      <ul class="mapping-rows">
        {rows.map((element) => (
          <Row
            key={element}
            element={element}
            name={sourceName(element)}
            count={blocked.get(element) ?? 0}
            target={targetOf(element)}
            isPicked={element === picked}
            allowed={element === picked ? allowed : null}
            targetName={targetName}
            onPick={() => setPicked(element)}
            onMap={(to_) => map(element, to_)}
          />
        ))}
      </ul>
    </div>
  );
}

interface RowProps {
  element: string;
  name: string;
  count: number;
  target: string;
  isPicked: boolean;
  allowed: readonly { element: { elementId: string; name: string | null } }[] | null;
  targetName: NameOf;
  onPick: () => void;
  onMap: (target: string) => void;
}

function Row({ element, name, count, target, isPicked, allowed, targetName, onPick, onMap }: RowProps) {
  const texts = t.planning;
  const [isOpen, setOpen] = useState(isPicked);
  useEffect(() => setOpen(isPicked), [isPicked]);
  const options = allowed?.map(({ element: each }) => each) ?? [];
  const isKnown = !target || options.some(({ elementId }) => elementId === target);
  return (
    <li aria-current={isPicked || undefined}>
      <button type="button" class="link" title={element} aria-pressed={isPicked} onClick={onPick}>
        {name}
      </button>
      {count > 0 && <span class="number quiet">{number(count)}</span>}
      {target ? (
        <Badge tone="good" icon="check">
          {texts.yours}
        </Badge>
      ) : (
        <Badge tone="bad" icon="warn">
          {texts.notMapped}
        </Badge>
      )}
      {isOpen && allowed?.length === 0 && !target ? (
        <p class="quiet small">{texts.noTarget}</p>
      ) : isOpen ? (
        <select
          class="input"
          aria-label={texts.targetFor(name)}
          value={target}
          onChange={(event) => onMap(event.currentTarget.value)}
        >
          <option value="">{allowed ? texts.chooseTarget : t.common.loading}</option>
          {!isKnown && <option value={target}>{targetName(target)}</option>}
          {options.map(({ elementId, name: text }) => (
            <option key={elementId} value={elementId}>
              {text ? `${text} (${elementId})` : elementId}
            </option>
          ))}
        </select>
      ) : (
        target && <p class="small">→ {targetName(target)}</p>
      )}
    </li>
  );
}
