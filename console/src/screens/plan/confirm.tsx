// The last look before an upgrade: what happens, to how many, what stays; and what to do when the plan is out of date.
import { useState } from "preact/hooks";
import { UpgradeInstancesDocument, type UpgradePlanInput } from "../../api/operations.ts";
import { useMutation } from "../../api/use_mutation.ts";
import { randomUuid } from "../../ids.ts";
import { Dialog } from "../../parts/dialog.tsx";
import { FailureNotice } from "../../parts/states.tsx";
import { duration, number } from "../../texts/format.ts";
import { t } from "../../texts/index.ts";
import type { Plan } from "../plan.tsx";
import type { LoadedProcess } from "../process.tsx";
import { Foot, openNew } from "../upgrade/actions.tsx";

// So many instances are not upgraded by two clicks.
const TYPED_ABOVE = 10_000;

interface Props {
  process: LoadedProcess;
  plan: Plan;
  input: UpgradePlanInput;
  onClose: () => void;
  onChanged: () => void;
}

export function Confirm({ process, plan, input, onClose, onChanged }: Props) {
  const texts = t.planning;
  const [reason, setReason] = useState("");
  const [typed, setTyped] = useState("");
  const [refused, setRefused] = useState("");
  const [changed, setChanged] = useState<PlanChanged | null>(null);
  const [key] = useState(randomUuid);
  const upgrade = useMutation(UpgradeInstancesDocument);
  const mustType = plan.upgraded > TYPED_ABOVE;
  const isReady = !mustType || typed.trim() === process.code;
  const run = async () => {
    const request = {
      ...input,
      fingerprint: plan.fingerprint,
      reason: reason.trim() || null,
      idempotencyKey: key,
      wait: false,
    };
    const answer = await upgrade.run({ input: request });
    setRefused(openNew(answer, (data) => data.upgradeInstances));
    const error = answer.data?.upgradeInstances?.userErrors[0];
    if (error && "now" in error) setChanged(error);
  };
  if (changed) {
    return (
      <Dialog title={texts.changedTitle} onClose={onClose}>
        <p>{texts.changedHint}</p>
        <ul class="stack" style={{ "--gap": 1 }}>
          <li>{texts.planned(number(changed.planned.upgraded), number(changed.planned.skipped))}</li>
          <li>
            <strong>{texts.now(number(changed.now.upgraded), number(changed.now.skipped))}</strong>
          </li>
        </ul>
        <Foot
          onClose={onClose}
          text={texts.lookAgain}
          isBusy={false}
          onDo={() => {
            onClose();
            onChanged();
          }}
        />
      </Dialog>
    );
  }
  return (
    <Dialog title={texts.confirmTitle(t.common.instances(plan.upgraded), plan.targetVersion)} onClose={onClose}>
      <ul class="facts">
        <li>{texts.factMoves(t.common.instances(plan.upgraded), plan.targetVersion)}</li>
        {plan.skipped > 0 && <li>{texts.factStays(t.common.instances(plan.skipped))}</li>}
        {plan.excluded > 0 && <li>{texts.factLeftOut(t.common.instances(plan.excluded))}</li>}
        {plan.expectedSeconds !== null && <li>{texts.factTakes(duration(plan.expectedSeconds))}</li>}
        <li>{texts.factUndo}</li>
      </ul>
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
      {mustType && (
        <div class="field">
          <label for="typed">{texts.typeCode(process.code)}</label>
          <input
            id="typed"
            class="input mono"
            autocomplete="off"
            spellcheck={false}
            value={typed}
            onInput={(event) => setTyped(event.currentTarget.value)}
          />
        </div>
      )}
      {upgrade.failure && <FailureNotice failure={upgrade.failure} />}
      {refused && (
        <p class="notice bad" role="alert">
          {refused}
        </p>
      )}
      <Foot
        onClose={onClose}
        text={texts.confirmDo(number(plan.upgraded))}
        isBusy={upgrade.isRunning || !isReady}
        onDo={() => void run()}
      />
    </Dialog>
  );
}

interface Summary {
  upgraded: number;
  skipped: number;
}
interface PlanChanged {
  planned: Summary;
  now: Summary;
}
