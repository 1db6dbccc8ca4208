// The names by which the pages know what the broker answers.

export interface Listener { name: string; address: string; protocol: string; [more: string]: unknown }
export interface Server { version: string; mode: "single" | "classroom"; cluster_id: string; listeners: any[]; [more: string]: any }
export interface Me { role: "nobody" | "student" | "instructor"; id: string | null; name: string | null; user: string | null; prefix: string | null; group_prefix: string | null; team: string[]; invite: string | null; code: string | null }

export interface TopicTick { name: string; messages_per_s: number; bytes_per_s: number; records: number; size_bytes: number; last_write_ms: number | null }
export interface GroupTick { id: string; state: string; members: number; lag: number }
export interface Tick {
  at_ms: number; healthy: boolean; problem: string | null; warning: string | null; connections: number;
  messages_in_per_s: number; bytes_in_per_s: number; bytes_out_per_s: number; cpu_percent: number; memory_bytes: number;
  phase: "off" | "starting" | "backfilling" | "live"; topics: TopicTick[]; groups: GroupTick[]; pages: number;
}
export interface Light {
  colour: "grey" | "green" | "red"; headline: string; detail: string | null; fix: string | null; at_ms: number | null; open: number;
  client: { software: string; version: string; client_id: string; listener: string; from: string } | null;
}
export interface Mine { topics?: TopicTick[]; groups?: GroupTick[]; light: Light }
export interface Room { announcement: { text: string; at_ms: number } | null; frozen: boolean; timer: { ends_ms: number; label: string } | null; leaderboard: boolean }

export interface Check { id: string; status: "pass" | "fail" | "skip"; message: string; expected?: unknown; got?: unknown; hint?: string; doc?: string }
export interface Verdict {
  challenge: string; student: string; status: "pass" | "partial" | "fail" | "error"; score: number; message: string; fix?: string; checks: Check[];
  matched_mistake?: any; stars?: any[]; evidence?: any; ticket?: any; attempt: number; at_ms: number; took_ms: number; text: string;
}

export interface TopicRow {
  name: string; kind: "stream" | "mine" | "other" | "internal"; partitions: number; records: number; size_bytes: number; durability: string;
  messages_per_s: number; bytes_per_s: number; spark: number[]; last_write_ms: number | null; schema: string | null; about: string | null;
  lag: { group: string; lag: number }[]; may_write: boolean; may_delete: boolean;
}
export interface FieldInfo { name: string; type: string; required: boolean; meaning: string; example: unknown; values: string[] | null }
export interface PartitionInfo { partition: number; start_offset: number; end_offset: number; records: number; size_bytes: number; messages_per_s: number; share: number }
export interface ConfigInfo { name: string; value: string; default: string; overridden: boolean; type: string; about: string }
export interface Template { name: string; key: string | null; value: string | null; headers: { name: string; value: string | null }[] }
export interface TopicGroup { id: string; state: string; lag: number; partitions: { partition: number; committed: number; end_offset: number; lag: number }[] }
export interface TopicPage extends TopicRow { id: string; story: string | null; fields: FieldInfo[]; partition_list: PartitionInfo[]; configs: ConfigInfo[]; groups: TopicGroup[]; templates: Template[] }
export interface Content { kind: "json" | "text" | "binary"; text: string; bytes: number; cut: boolean }
export interface LogRecord { partition: number; offset: number; timestamp_ms: number; key: Content | null; value: Content | null; headers: { name: string; value: Content | null }[]; size_bytes: number }
export interface RecordPage { records: LogRecord[]; scanned: number; matched: number; took_ms: number; ended: "limit" | "end" | "budget"; after: string | null; before: string | null }

export interface GroupRow { id: string; protocol: string; state: string; members: number; lag: number; topics: { name: string; lag: number }[]; mine: boolean; rate_in: number; rate_out: number; eta_s: number | null }
export interface GroupMember { member_id: string; client_id: string; host: string; instance_id: string | null; assignment: { topic: string; partitions: number[] }[] }
export interface GroupPartition { topic: string; partition: number; start_offset: number; committed: number | null; end_offset: number; lag: number; owner: string | null }
export interface GroupPage {
  at_ms: number; id: string; protocol: string; state: string; assignor: string | null; members: GroupMember[]; partitions: GroupPartition[]; lag: number;
  rate_in: number; rate_out: number; eta_s: number | null; history: { step_s: number; at_ms: number[]; lag: (number | null)[] }; may_reset: boolean; why_not: string | null;
}
export interface ResetPlan { changes: { topic: string; partition: number; from: number | null; to: number; lag_after: number }[]; applied: boolean; explanation: string }
export interface History {
  step_s: number; at_ms: number[]; messages_in_per_s: (number | null)[]; bytes_in_per_s: (number | null)[]; bytes_out_per_s: (number | null)[];
  connections: (number | null)[]; cpu_percent: (number | null)[]; memory_bytes: (number | null)[]; topics: { name: string; messages_per_s: (number | null)[] }[];
}
export interface RequestRow {
  id: number; at_ms: number; api: string; version: number; client_id: string; software: string; listener: string; from: string; took_ms: number;
  bytes_in: number; bytes_out: number; words: string; error: { code: number; name: string; words: string; fix: string | null } | null;
}

export interface ChallengeRow { id: string; slug: string; title: string; summary: string; track: string; minutes: number; core: boolean; points: number; topics: string[]; status?: string }
export interface ChallengePage extends ChallengeRow {
  readme: string; submission: string; submission_schema: any; kind: string; checks: any[]; stars: any[]; hints: number;
  starters: { name: string; client: string; needs?: string[]; notebook?: string }[]; prompts: any[]; self_checks: any[]; explain: { question: string; choices: string[] };
}
export interface Ticket { student: string; challenge: string; nonce: string; results?: string; ranges: Record<string, Record<string, [number, number]>>; live: Record<string, number>; issued_ms: number; expires_ms: number; warning?: string }

export interface Verb { verb: string; usage: string; about: string; arguments: string[]; options: string[] }
export interface ConsoleAnswer { ok: boolean; lines: { text: string; style: "plain" | "strong" | "dim" | "error" }[] }
export interface ReportForm { facts: { name: string; value: string }[]; challenges: any[]; questions: { id: string; title: string; ask: string; lines: number; answer: string }[]; submitted_ms: number | null; saved_ms: number | null }
export interface Medallion { layers: { layer: "bronze" | "silver" | "gold"; rows: number | null; rejected: number | null; from: string; at_ms: number | null; note: string }[] }
export interface Doctor { checks: { name: string; status: "ok" | "warn" | "bad"; words: string; fix: string | null }[] }
