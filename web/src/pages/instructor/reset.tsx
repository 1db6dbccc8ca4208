import { useState } from "preact/hooks";
import { useGet } from "../../api/use";
import { Wrong } from "../../parts/form";
import { Notice, Panel } from "../../parts/panel";
import { isSingle } from "../../state/session";
import type { Generators } from "./data";
import { Doom } from "./doom";

function Comeback() {
  const { data } = useGet<Generators>("/api/generators", 1000);
  if (!data) return null;
  if (data.phase === "live") return <Notice mood="good">The streams have written their history anew and are live. New tickets can be taken.</Notice>;
  return <Notice mood="warn">The streams write two hours of new history ({data.phase}). Tickets can be taken as soon as they are live.</Notice>;
}

export function ResetTab() {
  const [done, setDone] = useState(false);
  const generators = useGet<Generators>("/api/generators");
  return (
    <Panel title="Reset the broker" roomy>
      <p class="lead">All topics and groups are deleted and the streams begin anew. {!isSingle() && "Who has joined, their passwords and what they have solved stays; open tickets end."}</p>
      {generators.problem && generators.problem.status !== 409 && <Wrong problem={generators.problem} />}
      <p class="quiet">Step 1 only looks: it lists every topic and group that would die.{!isSingle() && " Step 2 asks for your secret once more."}</p>
      <Doom path="/api/reset" label="Show what dies" confirm="Delete all of this" secret={!isSingle()} onDone={() => setDone(true)} />
      {done && <Comeback />}
    </Panel>
  );
}
