import { browse } from "./browse.ts";
import { codes } from "./codes.ts";
import { common } from "./common.ts";
import { diagram } from "./diagram.ts";
import { planning } from "./planning.ts";
import { upgrading } from "./upgrading.ts";

export const en = { common, codes, browse, diagram, planning, upgrading };
