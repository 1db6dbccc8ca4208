import { PageHead } from "../parts/panel";

export default function Leaderboard() {
  return <PageHead title="Leaderboard" />;
}
