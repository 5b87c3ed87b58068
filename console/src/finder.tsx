// Goes anywhere by a few letters: processes by name, instances and upgrades by their id, the main screens.
import { useEffect, useId, useState } from "preact/hooks";
import {
  FindByIdDocument,
  type FindByIdQuery,
  FindProcessesDocument,
  type FindProcessesQuery,
} from "./api/operations.ts";
import { type Query, useQuery } from "./api/use_query.ts";
import { Dialog } from "./parts/dialog.tsx";
import { FailureNotice } from "./parts/states.tsx";
import { go, href } from "./routes.ts";
import { uuidIn } from "./ids.ts";
import { ago } from "./texts/format.ts";
import { t } from "./texts/index.ts";

interface Hit {
  address: string;
  kind: string;
  title: string;
  detail: string;
}

const PAUSE_MS = 150;

export function Finder({ onClose }: { onClose: () => void }) {
  const texts = t.browse.finder;
  const list = useId();
  const [typed, setTyped] = useState("");
  const text = useSettled(typed.trim());
  const [chosen, setChosen] = useState(0);
  const id = uuidIn(text);
  const processes = useQuery(FindProcessesDocument, { search: text }, { pause: id !== null, keep: true });
  const byId = useQuery(FindByIdDocument, { id: id ?? "" }, { pause: id === null });
  const hits = [...(id ? hitsById(byId) : hitsOfProcesses(processes)), ...pages(text)];
  const current = Math.min(chosen, hits.length - 1);
  const failure = id ? byId.failure : processes.failure;
  const isSearching = text !== typed.trim() || (id ? byId.isLoading : processes.isLoading);
  useEffect(() => setChosen(0), [text]);
  const open = (hit: Hit | undefined) => {
    if (!hit) return;
    onClose();
    go(hit.address);
  };
  const press = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) setChosen((current + step + hits.length) % Math.max(1, hits.length));
    else if (event.key === "Enter") open(hits[current]);
    else return;
    event.preventDefault();
  };
  return (
    <Dialog title={t.common.search} onClose={onClose} isBare>
      <div class="find">
        <input
          class="find-field"
          role="combobox"
          aria-expanded="true"
          aria-controls={list}
          aria-activedescendant={hits[current] ? `${list}-${current}` : undefined}
          aria-label={t.common.search}
          placeholder={texts.placeholder}
          autoFocus
          spellcheck={false}
          value={typed}
          onInput={(event) => setTyped(event.currentTarget.value)}
          onKeyDown={press}
        />
        {failure && <FailureNotice failure={failure} />}
        <ul id={list} role="listbox" aria-label={texts.results} aria-busy={isSearching}>
          {hits.map((hit, index) => (
            <li
              key={hit.address}
              id={`${list}-${index}`}
              role="option"
              aria-selected={index === current}
              onMouseMove={() => setChosen(index)}
              onClick={() => open(hit)}
            >
              <span class="grow">
                <strong>{hit.title}</strong>
                <span class="quiet small mono">{hit.detail}</span>
              </span>
              <span class="quiet small">{hit.kind}</span>
            </li>
          ))}
        </ul>
        <p class="find-foot quiet small" role="status">
          {!isSearching && !failure && hits.length === 0 ? (id ? texts.noId : texts.nothing) : texts.hint}
        </p>
      </div>
    </Dialog>
  );
}

function hitsOfProcesses({ data }: Query<FindProcessesQuery>): Hit[] {
  return (data?.processes.nodes ?? []).map(({ namespace, code, title }) => ({
    address: href("process", { namespace, code }),
    kind: t.browse.finder.process,
    title,
    detail: `${namespace}/${code}`,
  }));
}

function hitsById({ data }: Query<FindByIdQuery>): Hit[] {
  const hits: Hit[] = [];
  if (data?.instance) {
    const { instanceId, process, status, version } = data.instance;
    hits.push({
      address: href("instance", { id: instanceId }),
      kind: t.browse.finder.instance,
      title: process.title,
      detail: t.browse.finder.instanceDetail(version, t.codes.status[status] ?? status),
    });
  }
  if (data?.upgrade) {
    const { id, process, state, requestedAt } = data.upgrade;
    hits.push({
      address: href("upgrade", { id }),
      kind: t.browse.finder.upgrade,
      title: process.title,
      detail: `${t.codes.state[state] ?? state} · ${ago(requestedAt)}`,
    });
  }
  return hits;
}

function pages(text: string): Hit[] {
  const all = [
    { address: href("processes", {}), title: t.common.processes },
    { address: href("upgrades", {}), title: t.common.upgrades },
    { address: href("engines", {}), title: t.common.engines },
  ];
  const matching = all.filter(({ title }) => title.toLowerCase().includes(text.toLowerCase()));
  return matching.map((page) => ({ ...page, kind: t.browse.finder.page, detail: "" }));
}

function useSettled(text: string): string {
  const [settled, setSettled] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(text), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return settled;
}
