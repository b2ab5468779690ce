// Command simulate serves the simulated OpenAI for tests that are no Go tests.
// Its control handler stands on a listener of its own; both are on loopback. It
// prints the two base URLs on one line and ends with its standard input.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"claviger.dev/claviger/openaitest"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "simulate:", err)
		os.Exit(1)
	}
}

func run() error {
	sim := openaitest.New(openaitest.Options{Delta: 2 * time.Millisecond, PromptFaults: true})
	defer sim.Close()
	api, err := listen(sim)
	if err != nil {
		return err
	}
	control, err := listen(sim.Control())
	if err != nil {
		return err
	}
	fmt.Printf("http://%s/v1 http://%s\n", api, control)
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

func listen(h http.Handler) (net.Addr, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // answers at once
	if err != nil {
		return nil, err
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	go func() { _ = srv.Serve(ln) }()
	return ln.Addr(), nil
}
