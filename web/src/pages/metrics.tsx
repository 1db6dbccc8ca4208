import { PageHead } from "../parts/panel";

export default function Metrics() {
  return <PageHead title="Metrics" />;
}
