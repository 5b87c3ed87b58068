import type { Catalogue } from "../index.ts";
import { browse } from "./browse.ts";
import { codes } from "./codes.ts";
import { common } from "./common.ts";
import { diagram } from "./diagram.ts";

export const de: Catalogue = { common, codes, browse, diagram };
