// The versions from which an upgrade took its instances, and the names of elements in them.
import { useMemo } from "preact/hooks";
import { ProcessDocument, VersionModelDocument } from "../../api/operations.ts";
import { useQuery } from "../../api/use_query.ts";
import { type NameOf, namesIn } from "../process/names.ts";
import type { LoadedUpgrade } from "../upgrade.tsx";

export interface Versions {
  // All but the target, the oldest first.
  numbers: number[];
  // As in the target, or else as in the oldest version.
  nameOf: NameOf;
}

type Upgrade = Pick<LoadedUpgrade, "process" | "targetVersion">;

export function useVersionsOf({ process, targetVersion }: Upgrade): Versions {
  const { namespace, code } = process;
  const loaded = useQuery(ProcessDocument, { namespace, code }).data?.process?.versions;
  const all = useMemo(() => loaded?.map(({ number }) => number) ?? [], [loaded]);
  const numbers = useMemo(() => all.filter((number) => number !== targetVersion), [all, targetVersion]);
  const first = numbers[0] ?? 0;
  const target = targetVersion ?? all.at(-1) ?? 0;
  const oldest = useQuery(VersionModelDocument, { namespace, code, number: first }, { pause: first === 0 });
  const newest = useQuery(VersionModelDocument, { namespace, code, number: target }, { pause: target === 0 });
  const nameOf = useMemo(
    () =>
      namesIn([...(newest.data?.process?.version?.elements ?? []), ...(oldest.data?.process?.version?.elements ?? [])]),
    [oldest.data, newest.data],
  );
  return { numbers, nameOf };
}
