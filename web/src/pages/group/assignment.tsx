import { useState } from "preact/hooks";
import { part } from "../../api/client";
import type { GroupMember, GroupPage, GroupPartition } from "../../api/model";
import { Notice, Tag } from "../../parts/panel";
import { count, plural } from "../../parts/words";
import { type Letters, isRebalancing, lagWords, nobody, owns, ranges, whyIdle } from "./words";

const COLOURS = 4;
const CELLS_SHOWN = 120;

/** Colours repeat after four members, so the edge of a cell changes too. */
const look = (place: number): string => `of-${(place % COLOURS) + 1} edge-${(Math.floor(place / COLOURS) % 3) + 1}`;

export function Letter({ member, letters }: { member: string; letters: Letters }) {
  return <span class={`letter ${look(letters.place(member))}`}>{letters.of(member)}</span>;
}

/** Partitions as cells, each with the letter of the member that reads it; a member chosen above lights up its own. */
export function Assignment({ group, letters }: { group: GroupPage; letters: Letters }) {
  const [chosen, choose] = useState<string | null>(null);
  const lit = group.members.some((one) => one.member_id === chosen) ? chosen : null;
  const topics = [...new Set(group.partitions.map((one) => one.topic))];
  const idle = group.members.filter((one) => owns(one) === 0);
  const without = nobody(group);
  return (
    <>
      {group.members.length > 0 && (
        <ul class="readers" aria-label="Members">
          {letters.inOrder(group.members).map((member) => (
            <li key={member.member_id}>
              <Member member={member} letters={letters} lit={lit === member.member_id} onChoose={() => choose(lit === member.member_id ? null : member.member_id)} />
            </li>
          ))}
        </ul>
      )}
      {topics.map((topic) => (
        <TopicCells key={topic} topic={topic} cells={group.partitions.filter((one) => one.topic === topic)} letters={letters} lit={lit} />
      ))}
      {idle.length > 0 && (
        <Notice mood={isRebalancing(group.state) ? "" : "warn"}>
          <strong>{idle.length === 1 ? "Idle: member " : "Idle: members "}{idle.map((one) => letters.of(one.member_id)).join(", ")}.</strong> {whyIdle(group)}
        </Notice>
      )}
      {without.length > 0 && !isRebalancing(group.state) && (
        <Notice mood="warn">
          <strong>{plural(without.length, "partition")} without a reader:</strong> {[...new Set(without.map((one) => one.topic))].slice(0, 5).map((topic) => `${topic} ${ranges(without.filter((one) => one.topic === topic).map((one) => one.partition))}`).join("; ")}.
          {" "}The group has committed there once, but none of its members subscribes to it now: its lag only grows.
        </Notice>
      )}
    </>
  );
}

interface MemberProps { member: GroupMember; letters: Letters; lit: boolean; onChoose: () => void }

function Member({ member, letters, lit, onChoose }: MemberProps) {
  const own = owns(member);
  return (
    <button type="button" class="reader" aria-pressed={lit} onClick={onChoose}>
      <Letter member={member.member_id} letters={letters} />
      <span class="grow">
        <strong class="cut" title={member.client_id}>{member.client_id || "(no client id)"}</strong>
        <span class="quiet small cut">{own === 0 ? "idle, owns nothing" : plural(own, "partition")}, from {member.host.replace(/^\//, "")}</span>
      </span>
    </button>
  );
}

interface CellsProps { topic: string; cells: GroupPartition[]; letters: Letters; lit: string | null }

function TopicCells({ topic, cells, letters, lit }: CellsProps) {
  const [all, showAll] = useState(false);
  const most = Math.max(1, ...cells.map((one) => one.lag ?? 0));
  const counted = cells.filter((one) => one.lag !== null);
  return (
    <div class="stack tight">
      <h3><a class="break" href={`/topics/${part(topic)}`}>{topic}</a> <span class="quiet small">{plural(cells.length, "partition")}, lag {lagWords(counted.length > 0 ? counted.reduce((sum, one) => sum + (one.lag ?? 0), 0) : null)}</span></h3>
      <ul class="seats" aria-label={`Partitions of ${topic} and who reads them`}>
        {(all ? cells : cells.slice(0, CELLS_SHOWN)).map((cell) => (
          <li key={cell.partition} class={`seat ${cell.owner === null ? "none" : look(letters.place(cell.owner))} ${lit !== null && cell.owner !== lit ? "dim" : ""}`}>
            <span class="small"><span class="only-read">Partition </span>{cell.partition}</span>
            <strong>{cell.owner === null ? "nobody" : <><span class="only-read">member </span>{letters.of(cell.owner)}</>}</strong>
            <span class="small quiet">{cell.lag === null ? "none yet" : `lag ${count(cell.lag)}`}</span>
            <span class="fill" aria-hidden="true"><span style={{ width: `${(100 * (cell.lag ?? 0)) / most}%` }} /></span>
          </li>
        ))}
      </ul>
      {cells.length > CELLS_SHOWN && !all && <span><button type="button" onClick={() => showAll(true)}>Draw all {count(cells.length)} partitions</button></span>}
    </div>
  );
}

/** Who they are, for those who look for one of them in their terminals. */
export function Members({ group, letters }: { group: GroupPage; letters: Letters }) {
  if (group.members.length === 0) return null;
  return (
    <details>
      <summary>Who the members are</summary>
      <div class="scroll" tabIndex={0} role="region" aria-label="Members of the group">
        <table>
          <caption class="only-read">Members of the group</caption>
          <thead><tr><th scope="col">Member</th><th scope="col">Client id</th><th scope="col">From</th><th scope="col">Owns</th><th scope="col">Member id</th></tr></thead>
          <tbody>
            {letters.inOrder(group.members).map((member) => (
              <tr key={member.member_id}>
                <td><Letter member={member.member_id} letters={letters} /></td>
                <td><span class="named" title={member.client_id}>{member.client_id}</span>{member.instance_id && <> <Tag title="It keeps its partitions over a short restart">static: {member.instance_id}</Tag></>}</td>
                <td class="nowrap">{member.host.replace(/^\//, "")}</td>
                <td>{owns(member) === 0 ? <Tag mood="warn">idle</Tag> : member.assignment.map((one) => <div key={one.topic} class="named" title={one.topic}>{one.topic}: {ranges(one.partitions)}</div>)}</td>
                <td class="mono small"><span class="named" title={member.member_id}>{member.member_id}</span></td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}
