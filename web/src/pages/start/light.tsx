import type { Light as LightState } from "../../api/model";
import { isElsewhere, Missing } from "../../parts/missing";
import { Pairs } from "../../parts/table";
import { ago, plural } from "../../parts/words";
import { connected, mine } from "../../state/live";
import { paused } from "../../state/prefs";

const WORDS = { grey: "waiting", green: "connected", red: "something is wrong" };

/** What the broker sees of this person's programs. */
export function Light() {
  if (isElsewhere()) return <Elsewhere />;
  return <Signal />;
}

/** No broker tells of a client there. */
function Elsewhere() {
  return (
    <div class="stack tight">
      <Missing what="Whether your program has connected" />
      <p>It has, if it prints five records. If it prints an error, its last line has the reason.</p>
    </div>
  );
}

function Signal() {
  const light = mine.value?.light ?? null;
  const colour = light?.colour ?? "grey";
  return (
    <div class={`signal ${colour}`} role="status">
      <p class="signal-head"><span class={`light ${colour}`} aria-hidden="true" /><strong class="break">{light?.headline ?? "Waiting for your first program"}</strong> <span class="only-read">({WORDS[colour]})</span></p>
      {colour === "grey" && <Waiting light={light} />}
      {colour === "green" && light && <Seen light={light} />}
      {colour === "red" && light && <Wrongs light={light} />}
    </div>
  );
}

function Waiting({ light }: { light: LightState | null }) {
  return (
    <>
      {light?.detail && <p>{light.detail}</p>}
      <p class="quiet">
        {paused.value ? "The page is paused: press Go on at the top, or the light stays as it is." : connected.value ? "This turns green by itself, a second after a program of yours has connected." : "The page has no connection to the broker just now. It tries again by itself."}
      </p>
      <details>
        <summary>I ran it, and nothing happens here</summary>
        <ul class="tries">
          <li>Does the program print an error? It has the last word; read its last line.</li>
          <li>Is it the program from step 1 as it stands, with your own password in it?</li>
          <li>Are this computer and the broker in the same network? A VPN or a guest network often keeps them apart.</li>
          <li>Press <em>Check my connection</em> below. It names what it finds.</li>
        </ul>
      </details>
    </>
  );
}

function Seen({ light }: { light: LightState }) {
  const client = light.client;
  return (
    <>
      {!client && light.detail && <p>{light.detail}</p>}
      {client && (
        <Pairs
          pairs={[
            ["Client", <bdi class="break">{[client.software, client.version].filter(Boolean).join(" ") || "unknown"}</bdi>],
            ["Calls itself", <bdi class="mono break">{client.client_id || "nothing"}</bdi>],
            ["Listener", client.listener],
            ["From", <span class="mono">{client.from}</span>],
            ["Connections", light.open > 0 ? `${plural(light.open, "connection")} open now` : `closed again, ${ago(light.at_ms)}`],
          ]}
        />
      )}
    </>
  );
}

function Wrongs({ light }: { light: LightState }) {
  return (
    <>
      {light.detail && <p class="break">{light.detail}</p>}
      {light.fix && <p class="break"><strong>What to do:</strong> {light.fix}</p>}
      {light.at_ms !== null && <p class="quiet small">{ago(light.at_ms)}. It turns green as soon as a program gets in.</p>}
    </>
  );
}
