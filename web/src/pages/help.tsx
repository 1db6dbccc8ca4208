import { PageHead } from "../parts/panel";

export default function Help() {
  return <PageHead title="Help" />;
}
