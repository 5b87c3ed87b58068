import type { Catalogue } from "../index.ts";

export const codes: Catalogue["codes"] = {
  state: {
    QUEUED: "Eingereiht",
    RUNNING: "Läuft",
    PAUSED: "Angehalten",
    COMPLETED: "Abgeschlossen",
    CANCELLED: "Abgebrochen",
    FAILED: "Fehlgeschlagen",
  },
  status: {
    PENDING: "Wartet",
    RUNNING: "Läuft",
    COMPLETED: "Beendet",
    CANCELLED: "Abgebrochen",
    FAILED: "Fehlgeschlagen",
  },
  role: {
    SYSTEM_ADMIN: "Systemadministrator",
    READER: "Leser",
  },
  selection: {
    BY_IDS: "Aufgezählte Instanzen",
    ALL_ACTIVE: "Alle aktiven Instanzen",
    RETRY: "Wiederholung",
    UNDO: "Rücknahme",
    MATCHING: "Nach Bedingungen",
    FIRST_MATCHING: "Die ersten nach Bedingungen",
  },
  versionState: {
    DRAFT: "Entwurf",
    PUBLISHED: "Veröffentlicht",
  },
  outcome: {
    UPGRADED: "Umgestellt",
    SKIPPED: "Ausgelassen",
  },
  reason: {
    INSTANCE_NOT_FOUND: "Keine solche Instanz in diesem Prozess",
    NOT_PENDING: "Wartet nicht",
    ALREADY_LATEST: "Schon auf der neuesten Version",
    INCOMPATIBLE: "Ihre Stelle hat in der neuen Version keine Entsprechung",
    MOVED_ON: "Seit dem Upgrade weitergelaufen",
  },
  order: {
    NAME: "Name",
    TITLE: "Titel",
    CREATED: "Älteste zuerst",
  },
};
