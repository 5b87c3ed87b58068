// The keys of the page.
import { Dialog } from "./parts/dialog.tsx";
import { t } from "./texts/index.ts";

const KEYS: [string[], keyof typeof t.common.keys][] = [
  [["Ctrl", "K"], "find"],
  [["g", "p"], "processes"],
  [["g", "u"], "upgrades"],
  [["/"], "search"],
  [["n", "p"], "differences"],
  [["Esc"], "close"],
  [["?"], "help"],
];

export function Help({ onClose }: { onClose: () => void }) {
  return (
    <Dialog title={t.common.keys.title} onClose={onClose}>
      <dl class="keys">
        {KEYS.map(([keys, name]) => (
          <div key={name}>
            <dt>
              {keys.map((key) => (
                <kbd key={key}>{key}</kbd>
              ))}
            </dt>
            <dd>{t.common.keys[name]}</dd>
          </div>
        ))}
      </dl>
      <div class="foot">
        <button type="button" class="button" onClick={onClose}>
          {t.common.close}
        </button>
      </div>
    </Dialog>
  );
}
