import type { Catalogue } from "../index.ts";

export const diagram: Catalogue["diagram"] = {
  label: (title) => `Диаграмма: ${title}. В списке рядом то же самое.`,
  zoomIn: "Увеличить",
  zoomOut: "Уменьшить",
  fit: "Показать всю диаграмму",
  notDrawn: "Эту диаграмму нельзя нарисовать.",
  notDrawnHint: "В таблице есть всё, что она показала бы.",
  elementsNotDrawn: (names) => `Нет на диаграмме: ${names}.`,
  waitingAt: (instances, element) => `${instances}: ${element}`,
  waitingInside: (instances, element) => `${instances} внутри: ${element}`,
  inside: (number) => `${number} внутри`,
  legendWaiting: "ждут здесь",
  legendZoom: "Ctrl и колесо мыши меняют масштаб; перетаскивание сдвигает.",
  legendInside: "внутри подпроцесса",
};
