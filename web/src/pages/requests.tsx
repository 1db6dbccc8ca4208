import { PageHead } from "../parts/panel";

export default function Requests() {
  return <PageHead title="Requests" />;
}
