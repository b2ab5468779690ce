// Command upstream serves the fast upstream of a measurement, and beside it what
// it saw of its callers.
package main

import (
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"claviger.dev/claviger/bench/upstream"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8081", "address to serve at")
	control := flag.String("control", "127.0.0.1:8082", "address at which to tell what was seen")
	flag.Parse()
	if err := run(*listen, *control); err != nil {
		fmt.Fprintln(os.Stderr, "upstream:", err)
		os.Exit(1)
	}
}

func run(listen, control string) error {
	ln, err := net.Listen("tcp", listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	s := upstream.New()
	failed := make(chan error, 2)
	go func() { failed <- s.Serve(ln) }()
	c := &http.Server{Addr: control, Handler: s.Control(), ReadHeaderTimeout: 10 * time.Second}
	go func() { failed <- c.ListenAndServe() }()
	return <-failed
}
