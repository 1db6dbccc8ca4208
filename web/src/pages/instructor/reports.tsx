import { part } from "../../api/client";
import { useGet, type Loaded } from "../../api/use";
import type { ReportForm } from "../../api/model";
import { Dialog, Wrong } from "../../parts/form";
import { Panel } from "../../parts/panel";
import { Pairs, Table } from "../../parts/table";
import { ago, count, plural, stamp } from "../../parts/words";
import { useQuery, type ClassBoard, type HandedIn } from "./data";

const file = (student: string, format: string, rubric: boolean): string => `/api/report?student=${part(student)}&format=${format}${rubric ? "&rubric=on" : ""}`;

/** The text comes as data and is set as text. */
function Read({ student, name, onClose }: { student: string; name: string; onClose: () => void }) {
  const { data, problem } = useGet<ReportForm>(file(student, "json", false));
  return (
    <Dialog title={`Report of ${name}`} onClose={onClose}>
      {!data && <Wrong problem={problem} />}
      {data && (
        <>
          <p class="quiet">{data.submitted_ms ? `Handed in ${stamp(data.submitted_ms).slice(0, 16)}.` : "Not handed in."}</p>
          <Pairs pairs={data.facts.map((fact) => [fact.name, fact.value])} />
          {data.questions.map((question) => (
            <section key={question.id} class="stack tight">
              <h3>{question.title}</h3>
              <p class="quiet small">{question.ask}</p>
              <p class="break prose">{question.answer || <span class="quiet">No answer.</span>}</p>
            </section>
          ))}
        </>
      )}
    </Dialog>
  );
}

export function ReportsTab({ board }: { board: Loaded<ClassBoard> }) {
  const reports = useGet<{ reports: HandedIn[] }>("/api/reports", 10_000);
  const [query, set] = useQuery();
  const rubric = query.rubric !== "off";
  const rows = reports.data?.reports ?? [];
  const open = rows.find((one) => one.student === query.student);
  const of = board.data?.students.length;
  return (
    <Panel title={of === undefined ? "Reports" : `Reports: ${count(rows.length)} of ${plural(of, "student")} handed in`} tools={
      <label class="row nowrap"><input type="checkbox" checked={rubric} onChange={(event) => set({ rubric: event.currentTarget.checked ? null : "off" })} /> With the rubric in files</label>
    }>
      {!reports.data && <Wrong problem={reports.problem} />}
      {reports.data && (
        <div class="mid"><Table caption="Reports that were handed in" rows={rows} id={(one) => one.student}
          empty="Nobody has handed in a report yet. Students write it on their page Report and submit it there."
          columns={[
            { head: "Student", cell: (one) => <a class="break" href={`/instructor?tab=class&student=${part(one.student)}`}>{one.name}</a>, by: (one) => one.name },
            { head: "Handed in", cell: (one) => <span class="nowrap" title={stamp(one.submitted_ms)}>{ago(one.submitted_ms)}</span>, by: (one) => one.submitted_ms },
            { head: "Words", number: true, cell: (one) => count(one.words), by: (one) => one.words },
            { head: "Actions", cell: (one) => (
              <div class="row">
                <button type="button" onClick={() => set({ student: one.student })}>Read<span class="only-read"> the report of {one.name}</span></button>
                <a href={file(one.student, "html", rubric)} download={`report-${one.student}.html`}>HTML<span class="only-read"> file of the report of {one.name}</span></a>
                <a href={file(one.student, "md", rubric)} download={`report-${one.student}.md`}>Markdown<span class="only-read"> file of the report of {one.name}</span></a>
              </div>
            ) },
          ]} /></div>
      )}
      {open && <Read key={open.student} student={open.student} name={open.name} onClose={() => set({ student: null })} />}
    </Panel>
  );
}
