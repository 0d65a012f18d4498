// What the API says; see docs/api.md.

export type Problem = { status: number; code: string; detail: string; field?: string };

export type Who = { principal: string; groups: string[]; scopes: string[]; ends_at?: string; idle_seconds: number };

export const PERMISSIONS = ["explain", "select", "export", "dml", "ddl", "admin"] as const;
export type Permission = (typeof PERMISSIONS)[number];

export type Target = { name: string; dialect: "postgres" | "mysql"; environment: string; databases: string[] | null };

export type Grant = {
  id: string; holder: { principal: string } | { group: string }; target: string; database: string; objects: string[];
  permissions: Permission[]; starts_at: string; ends_at?: string; reason: string; state: "ended" | "live" | "revoked" | "upcoming";
  created_at: string; created_by: string; request?: string; approvers?: string[]; statement?: string; used_at?: string;
};

export type Review = { reviewer: string; verdict: "approve" | "deny"; comment: string; at: string; objects?: string[]; permissions?: Permission[]; seconds?: number };

export type Request = {
  id: string; state: "pending" | "approved" | "denied" | "cancelled" | "expired"; requester: string; target: string; database: string;
  objects: string[]; permissions: Permission[]; role?: string; seconds?: number; until?: string; starts_at?: string; reason: string;
  ticket?: string; break_glass: boolean; aftermath: "none" | "open" | "done"; extends?: string; risk: string; flow: string;
  waits_for: string[]; reviews: Review[]; grant?: string; created_at: string; expires_at: string; decided_at?: string;
  statement?: { sql: string; command: string; fingerprint: string; read_only: boolean };
  estimate?: { rows?: number; cost?: number; problem?: string; at: string };
};

export type Denial = { id: string; target: string; database: string; sql: string; objects: string[]; permissions: Permission[] };

export type SessionInfo = {
  id: string; principal: string; client: string; application: string; target: string; database: string; started_at: string;
  state: string; statements: number; gateway?: string;
};

export type Report = {
  severity: string; code: string; number?: number; message: string; detail?: string; hint?: string; position?: number; denial?: string;
};

export type Column = { name: string; type: string };
export type Row = (string | null)[];
export type Transaction = "idle" | "open" | "failed";

export type Line = {
  columns?: Column[]; rows?: Row[]; notice?: Report; error?: Report;
  complete?: { command: string; rows: number | null; shown: number };
  end?: { transaction: Transaction; ms: number; closed: boolean };
};
