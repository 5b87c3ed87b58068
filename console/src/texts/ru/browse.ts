import { count, number } from "../format.ts";
import type { Catalogue } from "../index.ts";

export const browse: Catalogue["browse"] = {
  processes: {
    title: "Процессы",
    search: "Поиск по названию или имени",
    order: "Порядок",
    process: "Процесс",
    latest: "Версия",
    active: "Активные экземпляры",
    outdated: "На старых версиях",
    lastUpgrade: "Последнее обновление",
    never: "Ещё не было",
    draft: (version) => `Черновик ${version}`,
    unpublished: "Ничего не опубликовано",
    found: (total) => count(total, { one: "процесс", few: "процесса", many: "процессов", other: "процесса" }),
    empty: "Процессов пока нет",
    emptyHint: "Импортируйте их из командной строки или создайте мутацией createProcess.",
    noneFound: (search) => `Ни один процесс не содержит «${search}»`,
    noneFoundHint: "Поиск идёт только по названиям и именам. Экземпляр можно найти по его id: Ctrl K.",
    clear: "Показать все процессы",
    allUpToDate: "Все на последней версии",
    outdatedOf: (outdated, active) =>
      `${number(outdated)} из ${number(active)} активных экземпляров на старых версиях`,
  },

  upgrades: {
    title: "Обновления",
    upgrade: "Обновление",
    state: "Состояние",
    upgraded: "Обновлено",
    skipped: "Пропущено",
    progress: "Ход",
    requested: "Запрошено",
    show: "Какие обновления",
    all: "Все",
    unfinished: "Незавершённые",
    completed: "Завершённые",
    stopped: "Отменённые и с ошибкой",
    toVersion: (version) => `До версии ${version}`,
    back: "Назад на прежние версии",
    progressOf: (upgraded, skipped, whole) =>
      `Обновлено ${number(upgraded)} и пропущено ${number(skipped)} из ${number(whole)}`,
    empty: "Обновлений пока нет",
    emptyHint: "Откройте процесс и спланируйте его обновление: план ничего не меняет.",
    noneFound: "Нет обновлений в этом состоянии",
    clear: "Показать все обновления",
  },

  finder: {
    placeholder: "Процесс, id экземпляра или обновления",
    results: "Результаты",
    process: "Процесс",
    instance: "Экземпляр",
    upgrade: "Обновление",
    page: "Страница",
    instanceDetail: (version, status) => `версия ${version} · ${status}`,
    hint: "Стрелки выбирают, Enter открывает, Escape закрывает.",
    nothing: "Ничего с таким именем нет. Экземпляры и обновления ищутся по полному id.",
    noId: "Нет ни экземпляра, ни обновления с таким id.",
  },
};
