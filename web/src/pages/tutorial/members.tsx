import { useEffect, useRef, useState } from "preact/hooks";
import { useAct, Wrong } from "../../parts/form";
import { plural } from "../../parts/words";
import { fresh, own, produce, read } from "./play";
import type { Scene } from "./scene";

const PARTITIONS = 3;

/** As Kafka's range assignor does it: partitions in order, the first members get one more. */
export function assign(members: number, partitions: number = PARTITIONS): number[][] {
  const each = Math.floor(partitions / members);
  const more = partitions % members;
  let next = 0;
  return Array.from({ length: members }, (_, n) => Array.from({ length: each + (n < more ? 1 : 0) }, () => next++));
}

function Run({ onRun }: { onRun: () => void }) {
  const topic = own("tutorial");
  const [members, setMembers] = useState(1);
  const [ready, setReady] = useState(false);
  const [counts, setCounts] = useState<number[]>([0, 0, 0]);
  const [tried, setTried] = useState<Set<number>>(new Set([1]));
  const after = useRef<string | null>(null);
  const { busy, problem, act } = useAct();
  const begin = () => act(async () => {
    await fresh(topic, PARTITIONS);
    setReady(true);
  });
  useEffect(() => {
    if (!ready) return;
    let stopped = false;
    let n = 0;
    const round = async () => {
      try {
        for (let partition = 0; partition < PARTITIONS; partition++) await produce(topic, null, `order ${n++}`, partition);
        const page = await read(topic, after.current ? { after: after.current, limit: 100 } : { from: "oldest", limit: 100 });
        after.current = page.after ?? after.current;
        if (!stopped) setCounts((old) => old.map((count, partition) => count + page.records.filter((record) => record.partition === partition).length));
      } catch {
        // The next round tries again.
      }
      if (!stopped) timer = window.setTimeout(round, 1000);
    };
    let timer = window.setTimeout(round, 200);
    return () => {
      stopped = true;
      window.clearTimeout(timer);
    };
  }, [ready]);
  const choose = (count: number) => {
    setMembers(count);
    const seen = new Set([...tried, count]);
    setTried(seen);
    if (seen.has(4)) onRun();
  };
  const assigned = assign(members);
  return (
    <div class="stack">
      <p>Three partitions get an order each, every second. Change the number of members in the group, up to four and more.</p>
      {!ready && <div class="row"><button type="button" class="main" disabled={busy} onClick={begin}>Begin</button></div>}
      <Wrong problem={problem} />
      {ready && (
        <>
          <label class="row">Members of the group
            <input type="range" min={1} max={6} value={members} onInput={(event) => choose(Number(event.currentTarget.value))} />
            <strong class="number">{members}</strong>
          </label>
          <ul class="members" aria-label="Members">
            {assigned.map((partitions, n) => (
              <li key={n} class={partitions.length ? "" : "idle"}>
                <strong>Member {n + 1}</strong>
                <span>{partitions.length ? `reads ${plural(partitions.length, "partition")}: ${partitions.join(", ")}` : "idle: no partition is left for it"}</span>
                <span class="quiet small">{plural(partitions.reduce((sum, partition) => sum + counts[partition]!, 0), "record")} read from them</span>
              </li>
            ))}
          </ul>
          <p class="quiet small">The records are real, in <code>{topic}</code>; the members are played by this page, with the rule of Kafka's range assignor. Start two consumers with the same <code>group.id</code> in two terminals and watch <a href="/groups">Groups</a> to see the same with real ones.</p>
        </>
      )}
    </div>
  );
}

export const members: Scene = {
  id: "members",
  title: "A group shares the partitions",
  about: "Consumers with the same group.id are members of one group. Each partition is read by exactly one of them.",
  predict: {
    ask: "A topic has three partitions. Four members read it in one group. What does the fourth do?",
    choices: ["It shares a partition with another member", "It reads copies of all records", "Nothing: it is idle until another member leaves"],
    right: 2,
    why: "A partition has one reader in each group, so there are at most as many busy members as partitions. The fourth waits and takes over when somebody leaves.",
  },
  Run,
  prompt: "I have 6 partitions and 4 consumers in one group. Who reads what with the range assignor, with round robin and with the cooperative sticky assignor? What happens in each case when one consumer dies, and how long until its partitions are read again?",
  quiz: {
    ask: "Two students use the same group.id by mistake. What do they see?",
    choices: ["Both see all records", "Each sees a part of the records", "The second gets an error"],
    right: 1,
    why: "They are one group now and share the partitions: each sees about half. This is why your groups begin with your own name.",
  },
};
