// Command reverse serves the bare proxy that the gateway is measured against.
package main

import (
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"time"

	"claviger.dev/claviger/bench/reverse"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8080", "address to serve at")
	target := flag.String("target", "", "base URL of the upstream")
	buffered := flag.Bool("buffered", true, "read the body before it is sent on")
	flag.Parse()
	if err := run(*listen, *target, *buffered); err != nil {
		fmt.Fprintln(os.Stderr, "reverse:", err)
		os.Exit(1)
	}
}

func run(listen, target string, buffered bool) error {
	u, err := url.Parse(target)
	if err != nil || u.Host == "" {
		return fmt.Errorf("-target %q is no base URL", target)
	}
	s := &http.Server{Addr: listen, Handler: reverse.New(u, buffered), ReadHeaderTimeout: 10 * time.Second}
	return s.ListenAndServe()
}
