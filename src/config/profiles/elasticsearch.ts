import type { Profile } from "./profile.ts";

export const elasticsearch: Profile = {
  app: "Elasticsearch",
  programs: ["elasticsearch"],
  options: { "stop-signal": "SIGTERM", "stop-timeout": "60s", ready: "http://127.0.0.1:9200/" },
  data: {
    image: "/usr/share/elasticsearch/data",
    flags: ["-Epath.data"],
    markers: ["_state", "nodes"],
    stale: [],
    settings: [],
  },
  left: [
    {
      file: "node.lock, write.lock",
      why: 'they are locked by the kernel (Lucene\'s NativeFSLock): "Lock held by another program" means a process that lives, or on NFS a lock that the server has not forgotten yet',
    },
  ],
  dangers: [],
  network:
    "Lucene relies on what NFS and GlusterFS don't provide; take a block device that leasehold attaches",
  notes: [
    "Since 8.0 it speaks TLS by default: give --ready https://127.0.0.1:9200/. An answer of 401 counts as ready.",
    "A translog with index.translog.durability async loses acknowledged writes when the app is killed; that is a setting of each index, and is not looked at.",
  ],
  sources: [
    {
      says: "NFS and GlusterFS are not supported for its data",
      url: "https://docs.redhat.com/en/documentation/openshift_container_platform/4.6/html/logging/cluster-logging-elasticsearch-storage_cluster-logging-store",
    },
    {
      says: "node.lock: failed to obtain node locks",
      url: "https://github.com/elastic/elasticsearch/issues/22730",
    },
  ],
  run: null,
};
