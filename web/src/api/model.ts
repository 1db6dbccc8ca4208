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

export interface Check { id: string; status: "pass" | "fail" | "skip"; message: string; expected?: string | null; got?: string | null; hint?: string | null; doc?: string | null }
export interface MatchedMistake { id: string; title: string; message: string; doc?: string | null }
export interface Verdict {
  challenge: string; student: string; status: "pass" | "partial" | "fail" | "error"; score: number; message: string; fix?: string | null; checks: Check[];
  matched_mistake?: MatchedMistake | null; stars?: string[]; evidence?: string[]; ticket?: string | null; attempt: number; at_ms: number; took_ms: number; text: string;
}

export interface TopicRow {
  name: string; kind: "stream" | "mine" | "other" | "internal"; partitions: number; records: number; size_bytes: number; durability: string;
  messages_per_s: number; bytes_per_s: number; spark: number[]; last_write_ms: number | null; schema: string | null; about: string | null;
  lag: { group: string; lag: number }[]; may_write: boolean; may_delete: boolean;
}
export interface FieldInfo { name: string; type: string; required: boolean; meaning: string; /** As JSON. */ example: string | null; values: string[] | null }
export interface PartitionInfo { partition: number; start_offset: number; end_offset: number; records: number; size_bytes: number; messages_per_s: number; share: number; /** Offsets that are damaged and not served: from, to (not included). */ damaged?: [number, number][] }
export interface ConfigInfo { name: string; value: string | null; default: string | null; overridden: boolean; type: string; about: string; has_effect?: boolean }
export interface Template { name: string; key: string | null; value: string | null; headers: { name: string; value: string | null }[] }
export interface TopicGroup { id: string; state: string; lag: number; partitions: { partition: number; committed: number; end_offset: number; lag: number }[] }
export interface TopicPage extends TopicRow { id: string; story: string | null; fields: FieldInfo[]; partition_list: PartitionInfo[]; configs: ConfigInfo[]; groups: TopicGroup[]; templates: Template[] }
export interface Content { kind: "json" | "text" | "binary"; text: string; bytes: number; cut: boolean }
export interface LogRecord { partition: number; offset: number; timestamp_ms: number; key: Content | null; value: Content | null; headers: { name: string; value: Content | null }[]; headers_left_out?: number; size_bytes: number }
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

export type Standing = "open" | "begun" | "fail" | "partial" | "pass" | "skipped" | "granted";
export interface ChallengeRow { id: string; slug: string; title: string; summary: string; track: "python" | "spark"; minutes: number; core: boolean; points: number; topics: string[]; status?: Standing | null }
export interface Starter { name: string; client: string; needs?: string[] | null; notebook?: string | null }
export interface Star { id: string; title: string; points: number }
export interface Prompt { ask: string; verify_by: string }
export interface ChallengePage extends ChallengeRow {
  readme: string; submission: { to: "results-topic" | "own-topic" | "receipt"; what: string; example: string }; submission_schema: unknown; kind: string; checks: string[];
  stars: Star[]; hints: number; starters: Starter[]; prompts: Prompt[]; self_checks: string[]; explain: { question: string; choices: string[] };
}
export interface Ticket { student: string; challenge: string; nonce: string; results?: string | null; ranges: Record<string, Record<string, [number, number]>>; live: Record<string, number>; issued_ms: number; expires_ms: number; warning?: string | null }
export interface Hint { n: number; of: number; hint: string }
export interface ProgressRow {
  id: string; title: string; points: number; status: Standing; attempts: number; first_pass_ms: number | null; hints: number; score: number; stars: string[]; stuck: boolean;
  passed_ms: number | null; mistakes: Record<string, number>; explained: boolean | null; ruling: string | null; last: { status: string; message: string; at_ms: number } | null;
}
export interface Progress { student: string; name: string; points: number; challenges: ProgressRow[] }
export interface Leaderboard { on: boolean; frozen: boolean; rows: { rank: number; student: string; name: string; points: number; solved: number }[] }

export interface Verb { verb: string; usage: string; about: string; arguments: string[]; options: string[] }
export interface ConsoleAnswer { ok: boolean; lines: { text: string; style: "plain" | "strong" | "dim" | "error" }[] }
export interface ReportRow { id: string; title: string; result: string; attempts: number; first_pass_ms: number | null; hints: number; points: number; points_of: number }
export interface Question { id: string; title: string; ask: string; lines: number; answer: string }
export interface ReportForm { student?: string; name?: string; facts: { name: string; value: string }[]; challenges: ReportRow[]; questions: Question[]; submitted_ms: number | null; saved_ms: number | null; day?: string }
export interface Medallion { layers: { layer: "bronze" | "silver" | "gold"; rows: number | null; rejected: number | null; from: string; at_ms: number | null; note: string }[] }
export interface Doctor { checks: { name: string; status: "ok" | "warn" | "bad"; words: string; fix: string | null }[] }
