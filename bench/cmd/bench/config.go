//go:build linux

package main

import (
	"fmt"
	"os"
	"os/user"

	"claviger.dev/claviger/bench/process"
	"claviger.dev/claviger/bench/upstream"
)

// nginxConfig is a proxy and nothing else: no log, kept connections on both
// sides, events handed on as they come.
func (w *workshop) nginxConfig(addr string) string {
	as := ""
	if u, err := user.Current(); err == nil && u.Uid == "0" {
		as = "user root;\n" // the workers of a superuser's nginx could not enter its directory otherwise
	}
	return fmt.Sprintf(`%sdaemon off;
pid %[2]s/nginx.pid;
error_log stderr crit;
worker_processes %[3]d;
worker_rlimit_nofile 8192;
events { worker_connections 8192; }
http {
	access_log off;
	server_tokens off;
	keepalive_requests 1000000000;
	client_max_body_size 1m;
	client_body_buffer_size 64k;
	client_body_temp_path %[2]s/nginx-body;
	proxy_temp_path %[2]s/nginx-proxy;
	fastcgi_temp_path %[2]s/nginx-fastcgi;
	uwsgi_temp_path %[2]s/nginx-uwsgi;
	scgi_temp_path %[2]s/nginx-scgi;
	upstream there {
		server %[4]s;
		keepalive 2048;
		keepalive_requests 1000000000;
	}
	server {
		listen %[5]s backlog=4096;
		location / {
			proxy_pass http://there;
			proxy_http_version 1.1;
			proxy_set_header Connection "";
			proxy_buffering off;
			proxy_read_timeout 120s;
		}
	}
}
`, as, w.dir, w.procs, w.target, addr)
}

// gatewayConfig has everything on that production has, with limits that are
// never reached: they are counted all the same.
const gatewayConfig = `environment: production
listen: %[1]s
admin: {listen: %[2]s}
identity_key: env:BENCH_IDENTITY_KEY
upstream:
  base_url: http://%[3]s/v1
  keys: [env:BENCH_PROVIDER_KEY]
auth:
  - ticket: {secrets: [env:BENCH_TICKET_SECRET]}
plans:
  - name: bench
    models: [%[4]s]
    limits: {requests: 1000000/min, concurrency: 100000, tokens: 1000M/day, spend: 100000 USD/day, max_input_tokens: 30k, max_output_tokens: 4000}
limits:
  per_ip: {requests: 1000000/min}
  total: {spend: 100000 USD/day}
  body: 1MiB
proxy:
  endpoints: [responses, chat.completions]
  store: false
state: %[5]s
retention: none
`

// writeGatewayConfig writes a configuration with ports of its own and returns
// them and its path.
func (w *workshop) writeGatewayConfig() (addr, admin, path string, err error) {
	if addr, err = process.FreePort(); err != nil {
		return "", "", "", err
	}
	if admin, err = process.FreePort(); err != nil {
		return "", "", "", err
	}
	state, err := os.MkdirTemp(w.dir, "state-")
	if err != nil {
		return "", "", "", fmt.Errorf("state: %w", err)
	}
	path = w.path("claviger.yaml")
	conf := fmt.Sprintf(gatewayConfig, addr, admin, w.target, upstream.Model, state)
	if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
		return "", "", "", fmt.Errorf("configuration: %w", err)
	}
	return addr, admin, path, nil
}

func (w *workshop) gatewayEnv() []string {
	return w.env(
		"BENCH_IDENTITY_KEY="+w.identitySecret,
		"BENCH_TICKET_SECRET="+w.ticketSecret,
		"BENCH_PROVIDER_KEY="+w.providerKey,
	)
}
