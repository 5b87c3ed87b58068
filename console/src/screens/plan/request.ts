// The request that an address of the plan means: which instances, and which mapping instructions.
import type { SelectionInput, VersionMappingInput } from "../../api/operations.ts";
import { uuidsIn } from "../../ids.ts";
import type { Search } from "../../routes.ts";

export type Way = "all" | "matching" | "ids";

export interface Instruction {
  fromVersion: number;
  source: string;
  target: string;
}

export interface PlanRequest {
  way: Way;
  versions: number[];
  at: string;
  limit: number | null;
  ids: string[];
  except: string[];
  instructions: Instruction[];
}

// More ids than fit into an address stay in the session of the tab.
const IN_ADDRESS = 100;
const STORED = "uplift:ids:";

export function requestOf(search: Search): PlanRequest {
  const ids = idsOf(search["ids"] ?? "");
  const limit = Number(search["limit"]);
  return {
    way: search["select"] === "matching" ? "matching" : search["select"] === "ids" || ids.length ? "ids" : "all",
    versions: (search["versions"] ?? "")
      .split(",")
      .map(Number)
      .filter((number) => number > 0),
    at: search["at"] ?? "",
    limit: Number.isInteger(limit) && limit > 0 ? limit : null,
    ids,
    except: idsOf(search["except"] ?? ""),
    instructions: instructionsOf(search["map"] ?? ""),
  };
}

// Null while nothing is selected, which the gateway would refuse.
export function selectionOf({ way, versions, at, limit, ids, except }: PlanRequest): SelectionInput | null {
  if (way === "ids") return ids.length ? { instanceIds: ids } : null;
  if (way === "all") return { allActive: { except } };
  return {
    matching: { versions: versions.length ? versions : null, elements: at ? [at] : null, limit, except },
  };
}

export function mappingsOf(instructions: readonly Instruction[]): VersionMappingInput[] {
  const versions = [...new Set(instructions.map(({ fromVersion }) => fromVersion))].sort((a, b) => a - b);
  return versions.map((fromVersion) => ({ fromVersion, instructions: ofVersion(instructions, fromVersion) }));
}

export function ofVersion(instructions: readonly Instruction[], version: number): { source: string; target: string }[] {
  return instructions
    .filter(({ fromVersion }) => fromVersion === version)
    .map(({ source, target }) => ({ source, target }));
}

// With one more instruction in place of the one for its source; without any if the target is empty.
export function withInstruction(instructions: readonly Instruction[], added: Instruction): Instruction[] {
  const others = instructions.filter(
    ({ fromVersion, source }) => fromVersion !== added.fromVersion || source !== added.source,
  );
  return added.target ? [...others, added] : others;
}

// As in an address: 3:Task_A>Task_B;4:…, with encoded ids.
export function instructionsText(instructions: readonly Instruction[]): string {
  return instructions
    .map(
      ({ fromVersion, source, target }) => `${fromVersion}:${encodeURIComponent(source)}>${encodeURIComponent(target)}`,
    )
    .join(";");
}

function instructionsOf(text: string): Instruction[] {
  return text.split(";").flatMap((part) => {
    const match = /^(\d+):([^>]+)>(.+)$/.exec(part);
    if (!match) return [];
    try {
      const [source, target] = [decodeURIComponent(match[2] ?? ""), decodeURIComponent(match[3] ?? "")];
      return [{ fromVersion: Number(match[1]), source, target }];
    } catch {
      return []; // a % that encodes nothing
    }
  });
}

// What stands for these ids in an address.
export function idsText(name: "ids" | "except", ids: readonly string[]): string {
  if (ids.length <= IN_ADDRESS) return ids.join(",");
  window.sessionStorage.setItem(`${STORED}${name}`, ids.join(","));
  return `stored-${name}`;
}

function idsOf(text: string): string[] {
  const stored = /^stored-(\w+)$/.exec(text);
  return uuidsIn(stored ? (window.sessionStorage.getItem(`${STORED}${stored[1]}`) ?? "") : text).ids;
}
