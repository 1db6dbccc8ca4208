import { useRoute } from "preact-iso";
import { PageHead, Panel } from "../parts/panel";
import { commits } from "./tutorial/commits";
import { database } from "./tutorial/database";
import { joins } from "./tutorial/joins";
import { keys } from "./tutorial/keys";
import { log } from "./tutorial/log";
import { members } from "./tutorial/members";
import { replay } from "./tutorial/replay";
import { done, SceneView, type Scene } from "./tutorial/scene";
import { times } from "./tutorial/times";
import { watermarks } from "./tutorial/watermarks";
import { windows } from "./tutorial/windows";

const SCENES: Scene[] = [log, keys, members, commits, replay, database, times, windows, watermarks, joins];

export default function Tutorial() {
  const { scene: id } = useRoute().params;
  const at = SCENES.findIndex((scene) => scene.id === id);
  const scene = SCENES[at];
  if (scene) {
    return (
      <>
        <PageHead title={`${at + 1}. ${scene.title}`}><a href="/tutorial">All scenes</a></PageHead>
        <SceneView key={scene.id} scene={scene} next={SCENES[at + 1]} />
      </>
    );
  }
  const seen = done();
  const next = SCENES.find((one) => !seen.includes(one.id));
  return (
    <>
      <PageHead title="Tutorial" />
      <p class="lead">Ten scenes of three to four minutes: predict, run it on this broker, compare. No installation, nothing to break: everything happens in topics of your own.</p>
      <ol class="scenes">
        {SCENES.map((one, n) => (
          <li key={one.id}>
            <Panel title={<a href={`/tutorial/${one.id}`}>{n + 1}. {one.title}</a>} tools={<span class="small quiet">{seen.includes(one.id) ? "✓ done" : one === next ? "next" : ""}</span>}>
              <p>{one.about}</p>
            </Panel>
          </li>
        ))}
      </ol>
    </>
  );
}
