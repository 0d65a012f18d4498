// A plan in JSON as a tree, of either database.
import type { Dialect } from "./sql.ts";
import type { Row } from "./types.ts";

export type Plan = { name: string; about: string; rows: number | undefined; cost: number | undefined; share: number; children: Plan[] };

type Json = { [key: string]: unknown };

export function planOf(rows: Row[], dialect: Dialect): Plan | undefined {
  try {
    const json = JSON.parse(rows.map((row) => row[0] ?? "").join("\n")) as unknown;
    const root = dialect === "postgres" ? postgres(((json as Json[])[0] as Json)["Plan"] as Json) : mysql(json as Json);
    if (root) weigh(root, root.cost || 1);
    return root;
  } catch {
    return undefined;
  }
}

const number = (value: unknown): number | undefined => (value === undefined || Number.isNaN(Number(value)) ? undefined : Number(value));

function postgres(node: Json): Plan {
  const on = [node["Relation Name"], node["Alias"] !== node["Relation Name"] ? node["Alias"] : undefined].filter(Boolean).join(" ");
  const conditions = ["Index Name", "Index Cond", "Hash Cond", "Merge Cond", "Join Filter", "Filter", "Sort Key", "Group Key"];
  const said = conditions.flatMap((key) => (node[key] === undefined ? [] : [`${key === "Index Name" ? "using" : key.toLowerCase()} ${String(node[key])}`]));
  return {
    name: String(node["Node Type"]) + (on ? ` on ${on}` : ""), about: said.join(" · "), rows: number(node["Plan Rows"]), cost: number(node["Total Cost"]), share: 0,
    children: ((node["Plans"] as Json[] | undefined) ?? []).map(postgres),
  };
}

/** MySQL and MariaDB nest what they do under the names of what they do. */
function mysql(node: Json, name = "query"): Plan {
  const costs = (node["cost_info"] as Json | undefined) ?? {};
  const table = node["table_name"];
  const about = [["access_type", "by"], ["key", "using"], ["attached_condition", "filter"], ["message", ""]] as const;
  const children: Plan[] = [];
  for (const [key, value] of Object.entries(node)) {
    if (["cost_info", "used_columns", "possible_keys", "used_key_parts", "ref", "key"].includes(key)) continue;
    const parts = Array.isArray(value) ? value : [value];
    for (const part of parts) {
      if (typeof part === "object" && part !== null) children.push(...unwrap(mysql(part as Json, key)));
    }
  }
  return {
    name: String(node["operation"] ?? (table ? `${name.replaceAll("_", " ")} ${String(table)}` : name.replaceAll("_", " "))),
    about: about.flatMap(([key, word]) => (node[key] ? [`${word} ${String(node[key])}`.trim()] : [])).join(" · "),
    rows: number(node["rows_produced_per_join"] ?? node["rows"] ?? node["estimated_rows"] ?? node["rows_examined_per_scan"]),
    cost: number(costs["query_cost"] ?? costs["prefix_cost"] ?? node["cost"] ?? node["estimated_total_cost"]), share: 0, children,
  };
}

/** A level that says nothing but the name of what is in it. */
const unwrap = (plan: Plan): Plan[] => (plan.about || plan.rows !== undefined || plan.cost !== undefined || plan.children.length !== 1 ? [plan] : plan.children);

/** How much of the whole cost is a node's own. */
function weigh(plan: Plan, whole: number): void {
  const below = plan.children.reduce((sum, child) => sum + (child.cost ?? 0), 0);
  plan.share = Math.max(0, Math.min(1, ((plan.cost ?? 0) - below) / whole));
  for (const child of plan.children) weigh(child, whole);
}
