import { useEffect } from "preact/hooks";
import type { ChallengeRow, Leaderboard as Board } from "../api/model";
import { useGet } from "../api/use";
import { Wrong } from "../parts/form";
import { Empty, Notice, PageHead, Tag } from "../parts/panel";
import { Table, type Column } from "../parts/table";
import { count } from "../parts/words";
import { room, verdict } from "../state/live";
import { isInstructor, me } from "../state/session";

type Row = Board["rows"][number];

/** Nobody has a place before the first point. */
const placed = (row: Row) => (row.points > 0 ? row.rank : "-");

export default function Leaderboard() {
  const isKnownOff = room.value?.leaderboard === false && !isInstructor();
  const { data: board, problem, reload } = useGet<Board>(isKnownOff ? null : "/api/leaderboard", 10_000);
  const { data: list } = useGet<ChallengeRow[]>("/api/challenges");
  const at = verdict.value?.at_ms;
  const isOn = room.value?.leaderboard;
  useEffect(() => reload(), [at, isOn, reload]);
  const isOff = isKnownOff || problem?.status === 404 || board?.on === false;
  const own = me.value?.id;
  const isMine = (row: Row) => row.student === own;
  const columns: Column<Row>[] = [
    { head: "Rank", number: true, cell: (row) => placed(row), by: (row) => row.rank },
    { head: "Name", cell: (row) => (isMine(row) ? <span class="own-row row"><strong class="break">{row.name}</strong> <Tag mood="accent">you</Tag></span> : <span class="break">{row.name}</span>), by: (row) => row.name.toLowerCase() },
    { head: "Points", number: true, cell: (row) => count(row.points), by: (row) => row.points },
    { head: "Solved", number: true, cell: (row) => (list?.length ? `${row.solved} of ${list.length}` : row.solved), by: (row) => row.solved },
  ];
  const mine = board?.rows.find(isMine);
  return (
    <>
      <PageHead title="Leaderboard"><a href="/challenges">Challenges</a></PageHead>
      {isOff && isInstructor() && <Notice>The leaderboard is off: only you see it. It is switched on and off on the <a href="/instructor">instructor's page</a>.</Notice>}
      {isOff && !isInstructor() && <Empty>The leaderboard is off. The instructor may switch it on; it stands here then. Your own points are with the <a href="/challenges">challenges</a>.</Empty>}
      {problem && problem.status !== 404 && <Wrong problem={problem} />}
      {board?.frozen && <Notice mood="warn"><strong>Frozen.</strong> The board stays as it was; points that come now stand here when it goes on.</Notice>}
      {board && (board.on || isInstructor()) && (
        <div class="stack">
          {mine && mine.points > 0 && <p class="lead">You are at rank <strong>{mine.rank}</strong> of {count(board.rows.length)} with <strong>{count(mine.points)}</strong> points.</p>}
          <div class="panel ranking">
            <Table caption="Leaderboard" columns={columns} rows={board.rows} id={(row) => row.student} empty="Nobody has joined yet. Everybody who does stands here, with 0 points at first." />
          </div>
          <p class="small quiet">Those with as many points share a rank, whoever was faster. Hints cost nothing.</p>
        </div>
      )}
    </>
  );
}
