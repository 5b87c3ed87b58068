import type { Catalogue } from "../index.ts";

export const codes: Catalogue["codes"] = {
  state: {
    QUEUED: "В очереди",
    RUNNING: "Выполняется",
    PAUSED: "Приостановлено",
    COMPLETED: "Завершено",
    CANCELLED: "Отменено",
    FAILED: "Ошибка",
  },
  status: {
    PENDING: "Ждёт",
    RUNNING: "Выполняется",
    COMPLETED: "Завершён",
    CANCELLED: "Отменён",
    FAILED: "Ошибка",
  },
  role: {
    SYSTEM_ADMIN: "Системный администратор",
    READER: "Читатель",
  },
  selection: {
    BY_IDS: "Перечисленные экземпляры",
    ALL_ACTIVE: "Все активные экземпляры",
    RETRY: "Повтор",
    UNDO: "Возврат",
    MATCHING: "По условиям",
    FIRST_MATCHING: "Первые по условиям",
  },
  versionState: {
    DRAFT: "Черновик",
    PUBLISHED: "Опубликована",
  },
  outcome: {
    UPGRADED: "Обновлён",
    SKIPPED: "Пропущен",
  },
  reason: {
    INSTANCE_NOT_FOUND: "В процессе нет такого экземпляра",
    NOT_PENDING: "Не ждёт",
    ALREADY_LATEST: "Уже на последней версии",
    INCOMPATIBLE: "Его месту нет соответствия в новой версии",
    MOVED_ON: "После обновления продвинулся дальше",
  },
  order: {
    NAME: "По имени",
    TITLE: "По названию",
    CREATED: "Сначала старые",
  },
};
