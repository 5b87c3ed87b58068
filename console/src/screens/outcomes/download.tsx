// Saves the outcomes that the filters let through as a CSV file, read page by page, and stops when asked.
import { useRef, useState } from "preact/hooks";
import { type Answer, send } from "../../api/client.ts";
import type { Failure } from "../../api/errors.ts";
import { type OutcomeFilterInput, OutcomesDocument, type OutcomesQuery } from "../../api/operations.ts";
import { Icon } from "../../parts/icon.tsx";
import { sentences } from "../../parts/states.tsx";
import { number } from "../../texts/format.ts";
import { t } from "../../texts/index.ts";
import { csvLine, HEADER } from "./csv.ts";

const PAGE = 1_000;

export function Download({ id, filter, expected }: { id: string; filter: OutcomeFilterInput; expected: number }) {
  const texts = t.browse.outcomes;
  const [done, setDone] = useState<number | null>(null);
  const [failure, setFailure] = useState<Failure | null>(null);
  const isStopped = useRef(false);
  const start = async () => {
    isStopped.current = false;
    setFailure(null);
    setDone(0);
    const lines = [HEADER];
    for await (const { data, failure: failed } of pages(id, filter)) {
      if (failed || isStopped.current) {
        setFailure(failed);
        return setDone(null);
      }
      lines.push(...(data?.upgrade?.outcomes.nodes ?? []).map(csvLine));
      setDone(lines.length - 1);
    }
    save(`${lines.join("\r\n")}\r\n`, `outcomes-${id}.csv`);
    setDone(null);
  };
  return (
    <>
      {failure && (
        <span class="small" role="alert">
          {sentences(failure).title}
        </span>
      )}
      {done === null ? (
        <button type="button" class="button" onClick={() => void start()}>
          <Icon name="download" /> {texts.download}
        </button>
      ) : (
        <button
          type="button"
          class="button"
          onClick={() => {
            isStopped.current = true;
          }}
        >
          {texts.stop(number(done), number(expected))}
        </button>
      )}
    </>
  );
}

async function* pages(id: string, filter: OutcomeFilterInput): AsyncGenerator<Answer<OutcomesQuery>> {
  let after: string | null = "";
  while (after !== null) {
    const answer: Answer<OutcomesQuery> = await send(OutcomesDocument, {
      id,
      filter,
      first: PAGE,
      after: after || null,
    });
    yield answer;
    const info = answer.data?.upgrade?.outcomes.pageInfo;
    after = info?.hasNextPage ? info.endCursor : null;
  }
}

function save(text: string, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}
