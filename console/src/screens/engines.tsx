// The workflow engines that run instances: whether each answers, when it was last read, and its processes.
import { LinksDocument, type LinksQuery } from "../api/operations.ts";
import { useQuery } from "../api/use_query.ts";
import { Badge } from "../parts/badges.tsx";
import { Headline } from "../parts/headline.tsx";
import { Loaded, Vacant } from "../parts/states.tsx";
import { type Column, Table } from "../parts/table.tsx";
import { href } from "../routes.ts";
import { ago } from "../texts/format.ts";
import { t } from "../texts/index.ts";

type Engine = LinksQuery["links"][number];

const EVERY_MS = 10_000;
const SHOWN_PROCESSES = 5;

export function Engines() {
  const texts = t.browse.engines;
  const query = useQuery(LinksDocument, {}, { every: EVERY_MS });
  const columns: Column<Engine>[] = [
    { title: texts.engine, isMain: true, cell: (engine) => <Name engine={engine} /> },
    { title: texts.state, cell: (engine) => <State engine={engine} /> },
    { title: texts.swept, cell: ({ sweptAt }) => (sweptAt ? ago(sweptAt) : <span class="quiet">{texts.never}</span>) },
    { title: t.common.processes, cell: (engine) => <Processes engine={engine} /> },
  ];
  return (
    <div class="stack">
      <Headline title={texts.title} />
      <Loaded query={query}>
        {({ links }) =>
          links.length === 0 ? (
            <Vacant title={texts.empty}>
              <p>{texts.emptyHint}</p>
              <p>
                <code>uplift links add</code>
              </p>
            </Vacant>
          ) : (
            <div class="card">
              <Table caption={texts.title} columns={columns} rows={links} keyOf={({ name }) => name} />
            </div>
          )
        }
      </Loaded>
    </div>
  );
}

function Name({ engine: { name, kind, url, namespace } }: { engine: Engine }) {
  return (
    <>
      <strong>{name}</strong>
      <div class="sub">
        {t.codes.engine[kind] ?? kind} · {namespace}
        {url && <span class="mono"> · {url}</span>}
      </div>
    </>
  );
}

function State({ engine: { unreachableSince, sweepError, isHeld } }: { engine: Engine }) {
  const texts = t.browse.engines;
  if (unreachableSince) {
    return (
      <Badge tone="bad" icon="warn">
        {texts.unreachable(ago(unreachableSince))}
      </Badge>
    );
  }
  if (sweepError) {
    return (
      <>
        <Badge tone="warn" icon="warn">
          {texts.problem}
        </Badge>
        <div class="sub">{sweepError}</div>
      </>
    );
  }
  return isHeld ? (
    <Badge tone="good" icon="check">
      {texts.well}
    </Badge>
  ) : (
    <Badge icon="clock">{texts.notHeld}</Badge>
  );
}

function Processes({ engine: { processes } }: { engine: Engine }) {
  const more = processes.length - SHOWN_PROCESSES;
  return (
    <>
      {processes.slice(0, SHOWN_PROCESSES).map(({ id, namespace, code, title }) => (
        <div key={id}>
          <a href={href("process", { namespace, code })}>{title}</a>
        </div>
      ))}
      {more > 0 && <span class="sub">{t.browse.engines.more(more)}</span>}
      {processes.length === 0 && <span class="quiet">–</span>}
    </>
  );
}
