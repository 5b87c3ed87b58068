// Words for states, each with a colour and a sign, so that none is told by its colour alone.
import { t } from "../texts/index.ts";
import { Icon, type IconName } from "./icon.tsx";

type Tone = "good" | "warn" | "bad" | "accent" | "";

const STATES: Record<string, [Tone, IconName]> = {
  QUEUED: ["", "clock"],
  RUNNING: ["accent", "spin"],
  PAUSED: ["warn", "pause"],
  COMPLETED: ["good", "check"],
  CANCELLED: ["", "cross"],
  FAILED: ["bad", "warn"],
};
const STATUSES: Record<string, [Tone, IconName]> = {
  PENDING: ["accent", "clock"],
  RUNNING: ["", "spin"],
  COMPLETED: ["good", "check"],
  CANCELLED: ["", "cross"],
  FAILED: ["bad", "warn"],
};

export function Badge({ tone = "", icon, children }: { tone?: Tone; icon?: IconName; children: string }) {
  return (
    <span class={`badge ${tone}`}>
      {icon && <Icon name={icon} size={14} />}
      {children}
    </span>
  );
}

export function StateBadge({ state }: { state: string }) {
  const [tone, icon] = STATES[state] ?? ["", "clock"];
  return (
    <Badge tone={tone} icon={icon}>
      {t.codes.state[state] ?? state}
    </Badge>
  );
}

export function StatusBadge({ status }: { status: string }) {
  const [tone, icon] = STATUSES[status] ?? ["", "clock"];
  return (
    <Badge tone={tone} icon={icon}>
      {t.codes.status[status] ?? status}
    </Badge>
  );
}
