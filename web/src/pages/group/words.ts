// What a group's figures mean, as somebody would say it.
import type { GroupMember, GroupPage, GroupPartition } from "../../api/model";
import type { Mood } from "../../parts/panel";
import { count, plural, rate, span } from "../../parts/words";

export const LAG_IS = "Lag is how many records are in the partitions that the group has not yet committed as done: it grows while records come in faster than the group commits.";

/** As Kafka's own tools write a lag that is not known. */
export const lagWords = (lag: number | null): string => (lag === null ? "-" : count(lag));

/** Of several groups; null: none of them has committed anything. */
export const mostLag = (all: { lag: number | null }[]): number | null => all.reduce<number | null>((most, one) => (one.lag === null ? most : Math.max(most ?? 0, one.lag)), null);

/** In the words of the console. */
export const notCounted = (partitions: number): string => `not counted: ${plural(partitions, "partition")} without a committed offset`;

/** Clients commit every five seconds if nobody tells them otherwise: what came in since is no sign of being slow. */
const SINCE_COMMIT_S = 10;

const keepsUp = (lag: number, rate_in: number, rate_out: number): boolean => rate_out > 0 && rate_out >= rate_in * 0.8 && lag <= Math.max(rate_in, 1) * SINCE_COMMIT_S;

export interface StateWords { mood: Mood; word: string; sentence: string }

/** A state as Kafka calls it, and what that means for the people behind it. */
export function stateWords(state: string, members: number): StateWords {
  switch (state.toLowerCase().replaceAll(/[^a-z]/g, "")) {
    case "stable":
      return { mood: "good", word: "● stable", sentence: "Every member knows its partitions and reads them." };
    case "empty":
      return { mood: "", word: "○ empty", sentence: "Nobody is in the group. What it committed is kept, and its lag grows with every new record." };
    case "dead":
      return { mood: "bad", word: "✕ dead", sentence: "The group is gone. It begins anew when a client joins it." };
    case "preparingrebalance":
      return { mood: "warn", word: "◐ rebalancing", sentence: "Somebody joined or left: the members give back what they have, and nobody reads until all are in." };
    case "completingrebalance":
      return { mood: "warn", word: "◐ rebalancing", sentence: "All members are in, and the partitions are being handed out." };
    case "assigning":
    case "reconciling":
      return { mood: "warn", word: "◐ rebalancing", sentence: "Partitions move from some members to others; those that do not move are read all the time." };
    default:
      return { mood: members > 0 ? "" : "warn", word: state, sentence: "" };
  }
}

export const isRebalancing = (state: string): boolean => /rebalance|assigning|reconciling/i.test(state);

/** When a group is through with what waits for it, at the speed of the last seconds. */
export function etaWords(lag: number | null, rate_in: number, rate_out: number, eta_s: number | null): string {
  if (lag === null) return "-";
  if (lag <= 0) return "up to date";
  if (keepsUp(lag, rate_in, rate_out)) return "keeps up";
  if (eta_s !== null) return span(Math.max(1, eta_s));
  return rate_in > rate_out + 0.05 ? "never: it grows" : "stands still";
}

/** The same as a figure and what is written below it. */
export function etaFigure(lag: number | null, rate_in: number, rate_out: number, eta_s: number | null): [string, string] {
  if (lag === null) return ["-", "nothing is committed yet"];
  const words = etaWords(lag, rate_in, rate_out, eta_s);
  if (words.startsWith("never")) return ["never", "the lag grows"];
  if (words === "keeps up") return [words, "came in since the last commit"];
  if (words === "stands still") return ["-", "the lag stands still"];
  return lag <= 0 ? [words, "nothing waits"] : [words, "until the lag is gone"];
}

/** The whole course of a group in one sentence. */
export function courseWords(group: Pick<GroupPage, "lag" | "rate_in" | "rate_out" | "eta_s">, members: number): string {
  if (group.lag === null) return "The group has committed nothing yet, so no lag is counted. A consumer begins where its auto.offset.reset says.";
  if (group.lag <= 0) return "The group has committed all there is.";
  const figures = `${rate(group.rate_in)} records/s come in and ${rate(group.rate_out)}/s are committed`;
  if (group.rate_out > 0.05 && members === 0) return `${figures} as a mean of the last half minute. Either its members have just left, or a client commits for it without joining (assign instead of subscribe).`;
  if (members === 0) return `${figures}. Start a consumer with this group id and it goes on where the group stopped.`;
  if (keepsUp(group.lag, group.rate_in, group.rate_out)) return `${figures}: the group keeps up, and what waits came in since its last commit.`;
  if (group.eta_s !== null) return `${figures}: at this speed the lag is gone in ${etaWords(group.lag, group.rate_in, group.rate_out, group.eta_s)}.`;
  if (group.rate_in > group.rate_out + 0.05) return `${figures}: the lag grows. A faster consumer, or one more member (up to the number of partitions), would help.`;
  return `${figures}: the lag stands still.`;
}

const letters = (n: number): string => (n < 26 ? "" : letters(Math.floor(n / 26) - 1)) + String.fromCharCode(65 + (n % 26));

/** Each member has a letter, and keeps it as long as the page is open. */
export class Letters {
  private readonly given = new Map<string, number>();

  give(members: GroupMember[]): void {
    for (const id of members.map((one) => one.member_id).sort()) if (!this.given.has(id)) this.given.set(id, this.given.size);
  }

  place(member: string): number {
    return this.given.get(member) ?? 0;
  }

  of(member: string): string {
    return letters(this.place(member));
  }

  inOrder(members: GroupMember[]): GroupMember[] {
    return [...members].sort((a, b) => this.place(a.member_id) - this.place(b.member_id));
  }
}

export const owns = (member: GroupMember): number => member.assignment.reduce((sum, one) => sum + one.partitions.length, 0);

/** `0-2, 5` */
export function ranges(numbers: number[]): string {
  const sorted = [...numbers].sort((a, b) => a - b);
  const words: string[] = [];
  for (let n = 0; n < sorted.length; n += 1) {
    const first = sorted[n]!;
    while (sorted[n + 1] === sorted[n]! + 1) n += 1;
    words.push(sorted[n] === first ? String(first) : `${first}-${sorted[n]}`);
  }
  return words.join(", ");
}

/** Why a member has nothing to read. */
export function whyIdle(group: GroupPage): string {
  if (isRebalancing(group.state)) return "The group rebalances: partitions are handed out in a moment.";
  const members = group.members.length;
  const partitions = group.partitions.length;
  if (group.members.every((one) => owns(one) === 0)) {
    return "No member has a partition: the topics they subscribe to do not exist (see the spelling), or hold no partition that this group may read.";
  }
  if (members > partitions) {
    return `A partition has one reader in a group: ${plural(partitions, "partition")} for ${plural(members, "member")} leave ${members - partitions} with nothing. It takes over when another member leaves. To have all of them work, give the topic more partitions or the group fewer members.`;
  }
  return "There are enough partitions, so it subscribes to other topics than the rest, or to one that does not exist. Compare what the members subscribe to.";
}

export const nobody = (group: GroupPage): GroupPartition[] => (group.members.length === 0 ? [] : group.partitions.filter((one) => one.owner === null));

/** What moving one offset means for the records between. */
export function changeWords(from: number | null, to: number): string {
  if (from === null) return "first offset of this partition";
  if (to < from) return `${plural(from - to, "record")} again`;
  if (to > from) return `${plural(to - from, "record")} skipped`;
  return "stays";
}

export const offset = (value: number | null): string => (value === null ? "none yet" : count(value));
