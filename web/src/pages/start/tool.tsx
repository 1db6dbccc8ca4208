import { Code } from "../../parts/code";
import { isSingle, me } from "../../state/session";
import type { Place } from "../../parts/place";
import { addressOf, useChoice } from "./connect";
import { code } from "./session";

/** The tool for a terminal: finds what is wrong where the program runs, and works on the challenges. */
export function Tool({ place }: { place: Place }) {
  const { listener } = useChoice(place);
  const who = me.value;
  const fetch = `curl ${location.protocol === "https:" ? "-k " : ""}-O ${location.origin}/headwater.pyz`;
  const login = who?.user && /^SASL/.test(listener?.protocol ?? "") ? ` --user ${who.user}` : "";
  const doctor = `python3 headwater.pyz doctor ${listener ? addressOf(listener) : "HOST:PORT"}${login}`;
  return (
    <details>
      <summary>It does not work: let the tool look, on the computer where the program runs</summary>
      <div class="stack tight inset">
        <p>One file for Python 3.9 or newer, nothing to install. It goes the way of your program step by step and says where it ends, and how to mend it.</p>
        <Code text={`${fetch}\n${doctor}`} label="Commands for the student's tool" />
        <p class="row small"><a class="button" href="/headwater.pyz" download="headwater.pyz">Download headwater.pyz</a></p>
        {!isSingle() && who?.invite && <p class="quiet small">For the challenges from a terminal, the tool joins too, as the second of your team: <code class="break">python3 headwater.pyz join {code.value ?? "CODE"} --invite {who.invite}</code></p>}
      </div>
    </details>
  );
}
