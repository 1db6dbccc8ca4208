import type { ComponentChildren } from "preact";
import { Code } from "../parts/code";
import { isElsewhere } from "../parts/missing";
import { Notice, PageHead, Panel } from "../parts/panel";
import { usePlace } from "../parts/place";
import { mine } from "../state/live";
import { isInstructor, isSingle, me } from "../state/session";
import { Program, useChoice } from "./start/connect";
import { Doctor } from "./start/doctor";
import { Door } from "./start/door";
import { Identity } from "./start/identity";
import { Light } from "./start/light";
import { Tool } from "./start/tool";

export default function Start() {
  if (me.value?.role === "nobody") return <Door />;
  return <Begin />;
}

function Begin() {
  const place = usePlace();
  const { client } = useChoice(place);
  const green = mine.value?.light.colour === "green";
  const instructor = isInstructor() && !isSingle();
  return (
    <>
      <PageHead title="Start here" />
      <p class="lead">Four streams of a small town run on this broker. Three steps, about ten minutes, and a program of yours reads from one of them.</p>
      {instructor && (
        <Notice mood="accent">
          You are the instructor. The class joins with the code <code class="strong">{me.value?.code}</code>. <a href="/instructor">Run the room</a>, or put <a href="/?view=stage">the projector view</a> on the wall. Below is what students see.
        </Notice>
      )}
      {isElsewhere() && !isSingle() && <Notice mood="accent">Your password opens these pages. The Kafka cluster has users of its own: the program in step 1 names the login to use there.</Notice>}
      <div class="beside">
        <div class="stack wide-gap">
          {!isInstructor() && <Identity />}
          <Panel roomy>
            <Heading n={1} title="Take the program for your client" />
            <Program place={place} />
          </Panel>
          <Panel roomy>
            <Heading n={2} title="Run it" />
            {client.run ? <Code text={client.run} label="Command that runs it" /> : <p>Run the cell of the notebook.</p>}
            <p>It prints five records of the shop, each a line of JSON. That is all it has to do.</p>
            <Tool place={place} />
          </Panel>
        </div>
        <div class="stack wide-gap in-sight">
          <Panel roomy>
            <Heading n={3} title="Watch the light" done={green} />
            <Light />
            {green && <a class="button main" href="/challenges">Go on: the first challenge</a>}
          </Panel>
          <Doctor />
        </div>
      </div>
      <Next green={green} />
    </>
  );
}

function Heading({ n, title, done }: { n: number; title: ComponentChildren; done?: boolean }) {
  return <h2 class="step"><span class={`step-number ${done ? "done" : ""}`} aria-hidden="true">{done ? "✓" : n}</span><span class="only-read">Step {n}: </span>{title}{done && <span class="only-read"> (done)</span>}</h2>;
}

function Next({ green }: { green: boolean }) {
  return (
    <Panel title={green ? "You are connected. What next?" : "What comes next"} roomy>
      <div class="columns narrow ways">
        <a class="card" href="/challenges"><strong>The first challenge</strong><span>Small tasks on the live streams, checked within seconds. Begin with C1.</span></a>
        <a class="card" href="/topics"><strong>Look into the streams</strong><span>Every topic live: records as they arrive, what they mean, how they are spread.</span></a>
        <a class="card" href="/tutorial"><strong>The tutorial</strong><span>Ten short scenes on this very broker: logs, keys, groups, windows. No program needed.</span></a>
      </div>
    </Panel>
  );
}
