import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { uuidIn, uuidsIn } from "../src/ids.ts";
import { csvField } from "../src/screens/outcomes/csv.ts";
import { planning } from "../src/texts/en/planning.ts";
import { ago, compact, count, duration, number, percent, setLocale } from "../src/texts/format.ts";

afterEach(() => setLocale("en"));

test("a language chooses the form of a noun", () => {
  const forms = { one: "экземпляр", few: "экземпляра", many: "экземпляров", other: "экземпляра" };
  setLocale("ru");
  assert.deepEqual(
    [1, 3, 5, 21].map((value) => count(value, forms)),
    ["1 экземпляр", "3 экземпляра", "5 экземпляров", "21 экземпляр"],
  );
});

test("numbers are written as the language does", () => {
  assert.equal(number(1234567), "1,234,567");
  assert.equal(compact(12_669), "12.7K");
  setLocale("de");
  assert.equal(number(1234567), "1.234.567");
});

test("a part is never shown as nothing or as the whole", () => {
  assert.equal(percent(1, 1_000_000), "1%");
  assert.equal(percent(999_999, 1_000_000), "99%");
  assert.equal(percent(0, 5), "0%");
  assert.equal(percent(5, 5), "100%");
  assert.equal(percent(0, 0), "–");
});

test("times and durations are rounded to what one can use", () => {
  const now = new Date("2026-11-30T12:00:00Z");
  assert.equal(ago("2026-11-30T11:58:30Z", now), "1 minute ago");
  assert.equal(ago("2026-11-30T12:00:05Z", now), "now");
  assert.equal(duration(4.83), "4.8 sec");
  assert.equal(duration(600), "10 min");
});

test("ids are found in whatever was pasted, each once", () => {
  const id = "3f2b8c1e-0c4d-4e7a-9b1a-5d6f7a8b9c0d";
  assert.equal(uuidIn(` {${id.toUpperCase()}} `), id);
  assert.equal(uuidIn(id.replaceAll("-", "")), id);
  assert.equal(uuidIn(`${id}0`), null);
  assert.deepEqual(uuidsIn(`id;\n"${id}", ${id}\tnone`), { ids: [id], others: ["id", "none"] });
});

test("no field of a CSV file is a formula", () => {
  assert.equal(csvField("=1+1"), "'=1+1");
  assert.equal(csvField('a,"b"'), '"a,""b"""');
  assert.equal(csvField("Task_A"), "Task_A");
});

test("one id that was not found is one id", () => {
  assert.equal(planning.notFound(1), "1 id was not found");
  assert.equal(planning.notFound(1_200), "1,200 ids were not found");
});
