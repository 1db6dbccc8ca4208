import { PageHead } from "../parts/panel";

export default function Report() {
  return <PageHead title="Report" />;
}
