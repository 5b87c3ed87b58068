// The frame of every screen: the top bar, what runs now, a banner when the gateway is away, and keys.
import type { FunctionComponent } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Failure } from "./api/errors.ts";
import { RunningUpgradesDocument, UpgradesChangedDocument } from "./api/operations.ts";
import { useQuery } from "./api/use_query.ts";
import { Announcements } from "./parts/announce.tsx";
import { Bar } from "./parts/bar.tsx";
import { Icon, Logo } from "./parts/icon.tsx";
import { sentences, Skeleton, Vacant } from "./parts/states.tsx";
import { useKeys } from "./parts/use_keys.ts";
import { Finder } from "./finder.tsx";
import { Help } from "./help.tsx";
import { KeyMenu } from "./key_menu.tsx";
import { go, href, placeOf, type RouteName, type ScreenProps, useHash } from "./routes.ts";
import { type LoadScreen, SCREENS } from "./screens.ts";
import { t } from "./texts/index.ts";

const RUNNING_EVERY_MS = 5_000;
const LIVE = { document: UpgradesChangedDocument, variables: {} };

export function Frame({ problem }: { problem: Failure | null }) {
  const place = placeOf(useHash());
  const [isFinding, setFinding] = useState(false);
  const [isHelping, setHelping] = useState(false);
  useKeys({
    "g p": () => go(href("processes", {})),
    "g u": () => go(href("upgrades", {})),
    "mod+k": () => setFinding(true),
    "?": () => setHelping(true),
  });
  return (
    <>
      <a class="skip" href="#content" onClick={skip}>
        {t.common.skip}
      </a>
      <header class="top">
        <a class="brand" href={href("processes", {})}>
          <Logo /> {t.common.product}
        </a>
        <nav aria-label={t.common.navigation}>
          <ul>
            <Tab name="processes" current={place.name} also={["process", "compare", "plan", "instance"]} />
            <Tab name="upgrades" current={place.name} also={["upgrade", "outcomes"]} />
            <Tab name="engines" current={place.name} also={[]} />
          </ul>
        </nav>
        <div class="end">
          <button type="button" class="button finder" onClick={() => setFinding(true)} aria-keyshortcuts="Control+K">
            <Icon name="search" />
            <span class="grow finder-text">{t.common.search}</span>
            <kbd aria-hidden="true">Ctrl K</kbd>
          </button>
          <KeyMenu />
        </div>
      </header>
      {problem && (
        <div class="notice warn banner" role="status">
          <strong>{sentences(problem).title}.</strong>
          <span>{sentences(problem).hint}</span>
        </div>
      )}
      <Running />
      <main id="content" tabIndex={-1}>
        <Screen key={`${place.name} ${JSON.stringify(place.params)}`} place={place} />
      </main>
      {isFinding && <Finder onClose={() => setFinding(false)} />}
      {isHelping && <Help onClose={() => setHelping(false)} />}
      <Announcements />
    </>
  );
}

function Tab({
  name,
  current,
  also,
}: {
  name: "processes" | "upgrades" | "engines";
  current: RouteName | null;
  also: RouteName[];
}) {
  const isCurrent = current !== null && (name === current || also.includes(current));
  return (
    <li>
      <a href={href(name, {})} aria-current={isCurrent ? "page" : undefined}>
        {t.common[name]}
      </a>
    </li>
  );
}

function Screen({ place }: { place: ReturnType<typeof placeOf> }) {
  const [loaded, setLoaded] = useState<FunctionComponent<ScreenProps<never>> | null>(null);
  const [isMissing, setMissing] = useState(false);
  useEffect(() => {
    if (!place.name) return;
    const load = SCREENS[place.name] as LoadScreen<never>;
    load().then(
      (screen) => setLoaded(() => screen),
      () => setMissing(true), // a new release has other files: only a reload of the page helps
    );
  }, []);
  if (!place.name) {
    return (
      <Vacant title={t.common.notHere.title}>
        <p>{t.common.notHere.hint}</p>
        <p>
          <a href={href("processes", {})}>{t.common.notHere.back}</a>
        </p>
      </Vacant>
    );
  }
  if (isMissing) {
    return (
      <Vacant title={t.common.failure.newRelease}>
        <button type="button" class="button primary" onClick={() => window.location.reload()}>
          {t.common.reload}
        </button>
      </Vacant>
    );
  }
  const Loaded = loaded;
  return Loaded ? <Loaded params={place.params as never} search={place.search} /> : <Skeleton />;
}

// What runs now, on every screen: an upgrade that somebody started is not to be missed.
function Running() {
  const { data } = useQuery(RunningUpgradesDocument, {}, { every: RUNNING_EVERY_MS, live: LIVE });
  const upgrades = data?.upgrades.nodes ?? [];
  if (upgrades.length === 0) return null;
  return (
    <aside class="strip" aria-label={t.common.running(upgrades.length)}>
      <ul>
        {upgrades.map(({ id, state, process, total, expected }) => (
          <li key={id}>
            <a href={href("upgrade", { id })}>
              <Icon name={state === "PAUSED" ? "pause" : state === "QUEUED" ? "clock" : "spin"} />
              {process.title}
              <Bar
                parts={[{ value: total, tone: state === "PAUSED" ? "warn" : "accent" }]}
                whole={expected}
                label={t.common.progress(t.codes.state[state] ?? state, total, expected)}
              />
            </a>
          </li>
        ))}
      </ul>
    </aside>
  );
}

// The hash is the address of the screen, so the link must not change it.
function skip(event: Event): void {
  event.preventDefault();
  document.getElementById("content")?.focus();
}
