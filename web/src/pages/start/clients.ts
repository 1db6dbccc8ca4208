// What a beginner has to know about each client, besides the program itself.

export interface Client {
  id: string;
  name: string;
  file: string;
  install: string | null;
  run: string | null;
  note?: string;
}

const PYTHON = "On Windows write py in place of python3. In a notebook, paste it into a cell.";

export const CLIENTS: Client[] = [
  { id: "confluent-kafka", name: "confluent-kafka", file: "first.py", install: "python3 -m pip install confluent-kafka", run: "python3 first.py", note: `${PYTHON} In doubt, take this one.` },
  { id: "kafka-python", name: "kafka-python", file: "first.py", install: "python3 -m pip install kafka-python", run: "python3 first.py", note: `${PYTHON} Pure Python: nothing has to be compiled.` },
  { id: "aiokafka", name: "aiokafka", file: "first.py", install: "python3 -m pip install aiokafka", run: "python3 first.py", note: "For asyncio. On Windows write py in place of python3. In a notebook, end with: await main()" },
  { id: "spark", name: "Spark", file: "first.py", install: "python3 -m pip install pyspark==4.2.0", run: "python3 first.py", note: "Needs Java 17. The first start fetches the Kafka connector and takes a minute." },
  { id: "databricks", name: "Databricks", file: "first.py", install: null, run: null, note: "Paste it into a notebook. Databricks runs on machines of its own, so the broker has to be reachable from the Internet; where it is not, the bridge of the student's tool copies the topics." },
  { id: "kcat", name: "kcat", file: "first.sh", install: "sudo apt install kcat", run: "sh first.sh", note: "On a Mac: brew install kcat. The program can also be pasted into the terminal." },
  { id: "kafkajs", name: "KafkaJS", file: "first.js", install: "npm install kafkajs", run: "node first.js" },
  { id: "java", name: "Java", file: "FirstLook.java", install: null, run: 'java -cp "libs/*" FirstLook.java', note: "Needs Java 17. Unpack a download of Apache Kafka and put the program into its folder: libs is there." },
];

interface Words {
  title: string;
  words: string;
}

/** Which listener is for whom. */
export function listenerWords(protocol: string): Words {
  switch (protocol) {
    case "PLAINTEXT":
      return { title: "No login, not encrypted", words: "The simplest one. For programs on this machine." };
    case "SASL_PLAINTEXT":
      return { title: "Login, not encrypted", words: "In doubt, take this one: nothing to download. The password itself never crosses the network, the records do in clear." };
    case "SASL_SSL":
      return { title: "Login, encrypted", words: "From another network, from Databricks, or where nobody may read along. Needs the certificate file where one is offered below." };
    default:
      return { title: "No login, encrypted", words: "Encrypted, and nobody logs in. Needs the certificate file where one is offered below." };
  }
}

/** The one to begin with. */
export function fitting(client: string, listeners: { name: string; protocol: string }[]): string | undefined {
  const order = client === "databricks" ? ["SASL_SSL", "SSL", "SASL_PLAINTEXT", "PLAINTEXT"] : ["PLAINTEXT", "SASL_PLAINTEXT", "SASL_SSL", "SSL"];
  const sorted = [...listeners].sort((a, b) => order.indexOf(a.protocol) - order.indexOf(b.protocol));
  return sorted[0]?.name;
}
