import { PageHead } from "../parts/panel";

export default function Tutorial() {
  return <PageHead title="Tutorial" />;
}
