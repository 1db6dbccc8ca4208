import { useGet } from "../api/use";
import { Notice, PageHead } from "../parts/panel";
import { isSingle, me } from "../state/session";
import { ClassTab } from "./instructor/class";
import { ClusterTab } from "./instructor/cluster";
import { useQuery, type ClassBoard } from "./instructor/data";
import { Login, NotForStudents } from "./instructor/login";
import { ReportsTab } from "./instructor/reports";
import { ResetTab } from "./instructor/reset";
import { RoomTab } from "./instructor/room";
import { StreamsTab } from "./instructor/streams";
import { MistakesTab, StuckTab } from "./instructor/stuck";

interface Tab { id: string; name: string; number?: number }

function Tabs({ tabs, at }: { tabs: Tab[]; at: string }) {
  return (
    <nav class="tabs" aria-label="Parts of the instructor's page">
      {tabs.map((tab) => (
        <a key={tab.id} href={`/instructor?tab=${tab.id}`} aria-current={tab.id === at ? "page" : undefined}>
          {tab.name}{tab.number ? <span class="tab-number">{tab.number}<span class="only-read"> waiting</span></span> : null}
        </a>
      ))}
    </nav>
  );
}

const Projector = () => <a class="button" href="/?view=stage" target="_blank">Projector view</a>;

function Alone() {
  const [query] = useQuery();
  const tabs: Tab[] = [{ id: "streams", name: "Streams" }, { id: "cluster", name: "Cluster" }, { id: "room", name: "Timer" }, { id: "reset", name: "Reset" }];
  const at = tabs.find((tab) => tab.id === query.tab)?.id ?? "streams";
  return (
    <>
      <PageHead title="Instructor"><Projector /></PageHead>
      <Notice>This broker serves one person, so there is no class here. <code>headwater serve --classroom</code> has the class board, the queue for help and the reports.</Notice>
      <Tabs tabs={tabs} at={at} />
      {at === "streams" && <StreamsTab />}
      {at === "cluster" && <ClusterTab />}
      {at === "room" && <RoomTab />}
      {at === "reset" && <ResetTab />}
    </>
  );
}

const OF_CLASS = ["class", "stuck", "mistakes"];

function Classroom() {
  const [query] = useQuery();
  const wanted = query.tab ?? "class";
  const board = useGet<ClassBoard>("/api/class", OF_CLASS.includes(wanted) ? 5000 : 15_000);
  const tabs: Tab[] = [
    { id: "class", name: "Class" }, { id: "stuck", name: "Stuck", number: board.data?.stuck.length }, { id: "mistakes", name: "Mistakes" },
    { id: "streams", name: "Streams" }, { id: "room", name: "Room" }, { id: "reports", name: "Reports" }, { id: "cluster", name: "Cluster" }, { id: "reset", name: "Reset" },
  ];
  const at = tabs.find((tab) => tab.id === wanted)?.id ?? "class";
  return (
    <>
      <PageHead title="Instructor"><Projector /></PageHead>
      <Tabs tabs={tabs} at={at} />
      {at === "class" && <ClassTab board={board} />}
      {at === "stuck" && <StuckTab board={board} />}
      {at === "mistakes" && <MistakesTab board={board} />}
      {at === "streams" && <StreamsTab />}
      {at === "room" && <RoomTab />}
      {at === "reports" && <ReportsTab board={board} />}
      {at === "cluster" && <ClusterTab />}
      {at === "reset" && <ResetTab />}
    </>
  );
}

export default function Instructor() {
  if (me.value?.role === "student") return <NotForStudents />;
  if (me.value?.role !== "instructor") return <Login />;
  return isSingle() ? <Alone /> : <Classroom />;
}
