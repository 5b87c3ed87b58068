// The upgrades of one process, the newest first.
import { UpgradesChangedDocument, UpgradesDocument } from "../../api/operations.ts";
import { useQuery } from "../../api/use_query.ts";
import { Loaded, Vacant } from "../../parts/states.tsx";
import { Paging } from "../../parts/table.tsx";
import type { Search } from "../../routes.ts";
import { t } from "../../texts/index.ts";
import type { LoadedProcess } from "../process.tsx";
import { UpgradeTable } from "../upgrades.tsx";

const PAGE = 50;
const EVERY_MS = 5_000;

export function UpgradesTab({ process: { namespace, code }, search }: { process: LoadedProcess; search: Search }) {
  const variables = { process: { namespace, code }, first: PAGE, after: search["after"] ?? null };
  const query = useQuery(UpgradesDocument, variables, {
    every: EVERY_MS,
    keep: true,
    live: { document: UpgradesChangedDocument, variables: { namespace, code } },
  });
  return (
    <Loaded query={query}>
      {({ upgrades }) =>
        upgrades.nodes.length === 0 && !search["after"] ? (
          <Vacant title={t.browse.upgrades.empty}>
            <p>{t.browse.upgrades.emptyHint}</p>
          </Vacant>
        ) : (
          <div class="card">
            <UpgradeTable upgrades={upgrades.nodes} />
            <Paging after={search["after"]} info={upgrades.pageInfo} />
          </div>
        )
      }
    </Loaded>
  );
}
