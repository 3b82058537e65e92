# Two allocations for one PostgreSQL, on two nodes that have the volume mounted (a host volume, or CSI with multi-node-multi-writer).
job "postgres" {
  type = "service"

  group "postgres" {
    count = 2

    constraint {
      operator = "distinct_hosts"
      value    = "true"
    }
    network {
      port "postgres" {}
      port "leasehold" {}
    }
    volume "data" {
      type   = "host"
      source = "postgres"
    }
    # A standby isn't ready, and an update may not wait for it: healthy is who answers /livez.
    update {
      max_parallel = 1
      health_check = "task_states"
    }
    service {
      name     = "postgres"
      port     = "postgres"
      provider = "nomad"
      # Clients get only whose check passes: the holder.
      check {
        type     = "http"
        port     = "leasehold"
        path     = "/readyz"
        interval = "2s"
        timeout  = "1s"
      }
    }
    task "postgres" {
      driver       = "docker"
      kill_signal  = "SIGTERM"
      # Stop timeout 60 s, drain 1 s, release 3 s.
      kill_timeout = "90s"
      config {
        image   = "registry.example/postgres-leasehold:16"
        command = "postgres"
        args    = ["-p", "${NOMAD_PORT_postgres}"]
        network_mode = "host"
      }
      volume_mount {
        volume      = "data"
        destination = "/volume"
      }
      env {
        LEASEHOLD_LOCK      = "etcd://etcd1.example,etcd2.example,etcd3.example/postgres"
        LEASEHOLD_PROFILE   = "postgres"
        LEASEHOLD_VOLUME    = "/volume"
        LEASEHOLD_DATA      = "/volume/data"
        LEASEHOLD_READY     = "postgres://127.0.0.1:${NOMAD_PORT_postgres}"
        LEASEHOLD_LISTEN    = "0.0.0.0:${NOMAD_PORT_leasehold}"
        LEASEHOLD_ADVERTISE = "${NOMAD_ADDR_postgres}"
        LEASEHOLD_NODE      = "${node.unique.name}"
        PGDATA              = "/volume/data"
      }
    }
  }
}
