// Which instances an upgrade takes: all active ones, some by version and place, or those with listed ids.
import { useEffect, useState } from "preact/hooks";
import { uuidsIn } from "../../ids.ts";
import { changeSearch } from "../../routes.ts";
import { number } from "../../texts/format.ts";
import { t } from "../../texts/index.ts";
import { useViewer } from "../../viewer.ts";
import type { LoadedProcess } from "../process.tsx";
import { idsText, type PlanRequest, type Way } from "./request.ts";

interface Props {
  process: LoadedProcess;
  request: PlanRequest;
  target: number;
  // Elements at which instances can wait, by name.
  places: string[];
  nameOf: (id: string) => string;
}

const WAYS: Way[] = ["all", "matching", "ids"];

export function Selection({ process, request, target, places, nameOf }: Props) {
  const texts = t.planning;
  const choose = (way: Way) =>
    changeSearch({ select: way === "all" ? "" : way, reason: "", ...(way === "ids" ? {} : { ids: "" }) });
  return (
    <section class="card padded stack selection" aria-labelledby="selection">
      <h2 id="selection">{texts.which}</h2>
      <fieldset class="choices">
        <legend class="unseen">{texts.which}</legend>
        {WAYS.map((way) => (
          <label key={way}>
            <input type="radio" name="way" checked={request.way === way} onChange={() => choose(way)} />
            <span>
              <strong>{texts.ways[way]}</strong>
              <span class="quiet small"> {texts.wayHints[way]}</span>
            </span>
          </label>
        ))}
      </fieldset>
      {request.way === "matching" && (
        <Conditions process={process} request={request} target={target} places={places} nameOf={nameOf} />
      )}
      {request.way === "ids" && <Ids name="ids" label={texts.ids} hint={texts.idsHint} ids={request.ids} />}
      {request.way !== "ids" && (
        <details open={request.except.length > 0}>
          <summary>{request.except.length ? texts.exceptSome(number(request.except.length)) : texts.except}</summary>
          <Ids name="except" label={texts.exceptIds} hint={texts.idsHint} ids={request.except} />
        </details>
      )}
    </section>
  );
}

function Conditions({ process, request, target, places, nameOf }: Props) {
  const texts = t.planning;
  const versions = process.versions.filter(({ state, number: version }) => state === "PUBLISHED" && version !== target);
  const toggle = (version: number, isOn: boolean) => {
    const others = request.versions.filter((each) => each !== version);
    changeSearch({ versions: (isOn ? [...others, version].sort((a, b) => a - b) : others).join(",") });
  };
  return (
    <>
      <fieldset class="choices">
        <legend class="label">{texts.onVersions}</legend>
        <div class="checks">
          {versions.map(({ number: version }) => (
            <label key={version}>
              <input
                type="checkbox"
                checked={request.versions.includes(version)}
                onChange={(event) => toggle(version, event.currentTarget.checked)}
              />
              {version}
            </label>
          ))}
        </div>
        <p class="quiet small">{request.versions.length ? "" : texts.anyVersion}</p>
      </fieldset>
      <div class="field">
        <label for="at">{texts.atElement}</label>
        <select
          id="at"
          class="input"
          value={request.at}
          onChange={(event) => changeSearch({ at: event.currentTarget.value })}
        >
          <option value="">{texts.anyElement}</option>
          {[...new Set([...(request.at ? [request.at] : []), ...places])].map((elementId) => (
            <option key={elementId} value={elementId}>
              {nameOf(elementId)}
            </option>
          ))}
        </select>
      </div>
      <Limit value={request.limit ? String(request.limit) : ""} />
    </>
  );
}

function Limit({ value }: { value: string }) {
  const [typed, setTyped] = useState(value);
  useEffect(() => setTyped(value), [value]);
  useSettledChange(typed, value, (text) => changeSearch({ limit: text.trim() }));
  return (
    <div class="field">
      <label for="limit">{t.planning.limit}</label>
      <input
        id="limit"
        class="input"
        inputMode="numeric"
        aria-describedby="limit-hint"
        value={typed}
        onInput={(event) => setTyped(event.currentTarget.value)}
      />
      <span id="limit-hint" class="quiet small">
        {t.planning.limitHint}
      </span>
    </div>
  );
}

function Ids({ name, label, hint, ids }: { name: "ids" | "except"; label: string; hint: string; ids: string[] }) {
  const texts = t.planning;
  const { maxIds } = useViewer().server.limits;
  const shown = ids.join("\n");
  const [typed, setTyped] = useState(shown);
  const read = uuidsIn(typed);
  useEffect(() => {
    if (uuidsIn(typed).ids.join("\n") !== shown) setTyped(shown);
  }, [shown]);
  useSettledChange(read.ids.join("\n"), shown, () => changeSearch({ [name]: idsText(name, read.ids) }));
  const problem =
    read.ids.length > maxIds
      ? texts.tooMany(number(maxIds))
      : read.others.length
        ? texts.notIds(read.others[0] ?? "")
        : "";
  return (
    <div class="field">
      <label for={`ids-${name}`}>{label}</label>
      <textarea
        id={`ids-${name}`}
        class="input mono small"
        rows={6}
        spellcheck={false}
        aria-describedby={`ids-hint-${name}`}
        value={typed}
        onInput={(event) => setTyped(event.currentTarget.value)}
      />
      <span id={`ids-hint-${name}`} class={`small ${problem ? "problem" : "quiet"}`} role="status">
        {problem || (read.ids.length ? t.common.instances(read.ids.length) : hint)}
      </span>
    </div>
  );
}

function useSettledChange(typed: string, value: string, change: (text: string) => void): void {
  useEffect(() => {
    if (typed === value) return;
    const timer = setTimeout(() => change(typed), 500);
    return () => clearTimeout(timer);
  }, [typed]);
}
