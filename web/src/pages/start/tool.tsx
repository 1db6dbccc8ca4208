import { Code } from "../../parts/code";
import { me } from "../../state/session";
import type { Place } from "../../parts/place";
import { addressOf, useChoice } from "./connect";
import { comeIn, student, WHY_LOGIN } from "./terminal";

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
        {student() ? (
          <>
            <p class="small quiet">{WHY_LOGIN}</p>
            <Code text={comeIn("unix")} label="The student's tool, as you" />
            <p class="small quiet">Then:</p>
            <Code text={doctor} label="Let the tool look" />
          </>
        ) : <Code text={`${fetch}\n${doctor}`} label="Commands for the student's tool" />}
        <p class="row small"><a class="button" href="/headwater.pyz" download="headwater.pyz">Download headwater.pyz</a></p>
      </div>
    </details>
  );
}
