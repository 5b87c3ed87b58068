// What an operator can do with an upgrade. What cannot be taken back says before what stays done.
import { useState } from "preact/hooks";
import type { Answer } from "../../api/client.ts";
import type { Failure } from "../../api/errors.ts";
import {
  CancelUpgradeDocument,
  PauseUpgradeDocument,
  type ReasonCode,
  ResumeUpgradeDocument,
  RetryUpgradeDocument,
  UndoUpgradeDocument,
} from "../../api/operations.ts";
import { useMutation } from "../../api/use_mutation.ts";
import { randomUuid } from "../../ids.ts";
import { Action } from "../../parts/actions.tsx";
import { announce } from "../../parts/announce.tsx";
import { Dialog } from "../../parts/dialog.tsx";
import { Icon } from "../../parts/icon.tsx";
import { FailureNotice, sentences } from "../../parts/states.tsx";
import { go, href } from "../../routes.ts";
import { number } from "../../texts/format.ts";
import { t } from "../../texts/index.ts";
import type { LoadedUpgrade } from "../upgrade.tsx";

interface Props {
  upgrade: LoadedUpgrade;
  onChange: () => void;
}

type Asked = "CANCEL" | "RETRY" | "UNDO";
type Refusal = { message: string };

export function Actions({ upgrade, onChange }: Props) {
  const [asked, setAsked] = useState<Asked | null>(null);
  const pause = useMutation(PauseUpgradeDocument);
  const resume = useMutation(ResumeUpgradeDocument);
  const texts = t.upgrading;
  const { id, allowedActions } = upgrade;
  const can = (action: string) => (allowedActions as string[]).includes(action);
  const after = (refused: readonly Refusal[] | undefined, failure: Failure | null) => {
    const said = refused?.[0]?.message ?? (failure && sentences(failure).title);
    if (said) announce(said);
    onChange();
  };
  const close = () => {
    setAsked(null);
    onChange();
  };
  return (
    <>
      {can("PAUSE") && (
        <Action
          isBusy={pause.isRunning}
          onClick={() =>
            void pause.run({ id }).then(({ data, failure }) => after(data?.pauseUpgrade?.userErrors, failure))
          }
        >
          <Icon name="pause" /> {texts.pause}
        </Action>
      )}
      {can("RESUME") && (
        <Action
          kind="primary"
          isBusy={resume.isRunning}
          onClick={() =>
            void resume.run({ id }).then(({ data, failure }) => after(data?.resumeUpgrade?.userErrors, failure))
          }
        >
          <Icon name="play" /> {texts.resume}
        </Action>
      )}
      {can("RETRY") && (
        <Action onClick={() => setAsked("RETRY")} blocked={retryable(upgrade).length ? null : texts.nothingToRetry}>
          {texts.retry}
        </Action>
      )}
      {can("UNDO") && (
        <Action onClick={() => setAsked("UNDO")} blocked={upgrade.upgraded ? null : texts.nothingToUndo}>
          <Icon name="undo" /> {texts.undo}
        </Action>
      )}
      {can("CANCEL") && (
        <Action kind="danger" onClick={() => setAsked("CANCEL")}>
          {texts.cancel}
        </Action>
      )}
      {asked === "CANCEL" && <CancelDialog upgrade={upgrade} onClose={close} />}
      {asked === "RETRY" && <RetryDialog upgrade={upgrade} onClose={close} />}
      {asked === "UNDO" && <UndoDialog upgrade={upgrade} onClose={close} />}
    </>
  );
}

const RETRYABLE = ["NOT_PENDING", "ALREADY_LATEST", "INCOMPATIBLE"];

function retryable({ countsByReason }: LoadedUpgrade): { code: ReasonCode; count: number }[] {
  return countsByReason.filter(({ code }) => RETRYABLE.includes(code));
}

interface DialogProps {
  upgrade: LoadedUpgrade;
  onClose: () => void;
}

function CancelDialog({ upgrade, onClose }: DialogProps) {
  const texts = t.upgrading;
  const cancel = useMutation(CancelUpgradeDocument);
  const [refused, setRefused] = useState("");
  const run = async () => {
    const { data, failure } = await cancel.run({ id: upgrade.id });
    const message = data?.cancelUpgrade?.userErrors[0]?.message;
    if (message) setRefused(message);
    else if (!failure) onClose();
  };
  return (
    <Dialog title={texts.cancelTitle} onClose={onClose}>
      <p>
        {texts.cancelHint(t.common.instances(upgrade.upgraded), number(Math.max(0, upgrade.expected - upgrade.total)))}
      </p>
      <Problems failure={cancel.failure} refused={refused} />
      <Foot
        onClose={onClose}
        text={texts.cancelDo}
        kind="danger"
        isBusy={cancel.isRunning}
        onDo={() => void run()}
        no={texts.keepRunning}
      />
    </Dialog>
  );
}

function RetryDialog({ upgrade, onClose }: DialogProps) {
  const texts = t.upgrading;
  const [reasons, setReasons] = useState<ReasonCode[]>(() => retryable(upgrade).map(({ code }) => code));
  const { reason, field } = useReason();
  const retry = useMutation(RetryUpgradeDocument);
  const [key] = useState(randomUuid);
  const [refused, setRefused] = useState("");
  const run = async () => {
    const input = { id: upgrade.id, reasons, reason: reason || null, idempotencyKey: key, wait: false };
    setRefused(openNew(await retry.run({ input }), (data) => data.retryUpgrade));
  };
  return (
    <Dialog title={texts.retryTitle} onClose={onClose}>
      <p>{texts.retryHint}</p>
      <fieldset class="choices">
        <legend class="label">{texts.retryWhich}</legend>
        {retryable(upgrade).map(({ code, count }) => (
          <label key={code}>
            <input
              type="checkbox"
              checked={reasons.includes(code)}
              onChange={(event) =>
                setReasons(event.currentTarget.checked ? [...reasons, code] : reasons.filter((each) => each !== code))
              }
            />
            <span class="grow">{t.codes.reason[code] ?? code}</span>
            <span class="number">{number(count)}</span>
          </label>
        ))}
      </fieldset>
      {field}
      <Problems failure={retry.failure} refused={refused} />
      <Foot
        onClose={onClose}
        text={texts.retryDo}
        isBusy={retry.isRunning || reasons.length === 0}
        onDo={() => void run()}
      />
    </Dialog>
  );
}

function UndoDialog({ upgrade, onClose }: DialogProps) {
  const texts = t.upgrading;
  const { reason, field } = useReason();
  const undo = useMutation(UndoUpgradeDocument);
  const [key] = useState(randomUuid);
  const [refused, setRefused] = useState("");
  const run = async () => {
    const input = { id: upgrade.id, reason: reason || null, idempotencyKey: key, wait: false };
    setRefused(openNew(await undo.run({ input }), (data) => data.undoUpgrade));
  };
  return (
    <Dialog title={texts.undoTitle} onClose={onClose}>
      <p>{texts.undoHint(t.common.instances(upgrade.upgraded))}</p>
      {field}
      <Problems failure={undo.failure} refused={refused} />
      <Foot onClose={onClose} text={texts.undoDo} isBusy={undo.isRunning} onDo={() => void run()} />
    </Dialog>
  );
}

// Goes to the new upgrade; or returns why there is none.
export function openNew<Data>(
  { data }: Answer<Data>,
  payloadOf: (data: Data) => { upgrade: { id: string } | null; userErrors: readonly Refusal[] } | null,
): string {
  const payload = data && payloadOf(data);
  if (payload?.upgrade) go(href("upgrade", { id: payload.upgrade.id }));
  return payload?.userErrors[0]?.message ?? "";
}

function useReason() {
  const [reason, setReason] = useState("");
  const field = (
    <div class="field">
      <label for="reason">{t.upgrading.reason}</label>
      <input
        id="reason"
        class="input"
        maxLength={1000}
        placeholder={t.upgrading.reasonHint}
        value={reason}
        onInput={(event) => setReason(event.currentTarget.value)}
      />
    </div>
  );
  return { reason: reason.trim(), field };
}

function Problems({ failure, refused }: { failure: Failure | null; refused: string }) {
  return (
    <>
      {failure && <FailureNotice failure={failure} />}
      {refused && (
        <p class="notice bad" role="alert">
          {refused}
        </p>
      )}
    </>
  );
}

interface FootProps {
  text: string;
  no?: string;
  kind?: "primary" | "danger";
  isBusy: boolean;
  onDo: () => void;
  onClose: () => void;
}

export function Foot({ text, no, kind = "primary", isBusy, onDo, onClose }: FootProps) {
  return (
    <div class="foot">
      <button type="button" class="button" onClick={onClose}>
        {no ?? t.common.cancel}
      </button>
      <Action kind={kind} isBusy={isBusy} onClick={onDo}>
        {text}
      </Action>
    </div>
  );
}
