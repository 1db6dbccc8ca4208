import { PageHead } from "../parts/panel";

export default function Topic() {
  return <PageHead title="Topic" />;
}
