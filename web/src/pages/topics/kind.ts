import type { TopicRow } from "../../api/model";

export const KIND: Record<TopicRow["kind"], string> = { stream: "stream", mine: "yours", other: "other", internal: "internal" };
export const ORDER: Record<TopicRow["kind"], number> = { stream: 0, mine: 1, other: 2, internal: 3 };
