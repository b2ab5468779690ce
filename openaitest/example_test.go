package openaitest_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"claviger.dev/claviger/openaitest"
)

func ask(url, path, body string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, url+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer any-key")
	req.Header.Set("Content-Type", "application/json")
	return new(http.Client).Do(req)
}

// A plain answer. In a test, NewServer is shorter: it closes itself.
func Example() {
	sim := openaitest.New(openaitest.Options{})
	srv := httptest.NewServer(sim)
	defer srv.Close()
	defer sim.Close()

	resp, err := ask(srv.URL, "/v1/chat/completions", `{"model":"gpt-4.1-mini","messages":[{"role":"user","content":"repeat after me: hello"}]}`)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	fmt.Println(resp.StatusCode, strings.Contains(string(body), `"content":"hello"`))
	fmt.Println(sim.Count("/v1/chat/completions"), sim.Units().Total.Output)
	// Output:
	// 200 true
	// 1 1
}

// The second of three calls fails.
func ExampleSim_Inject() {
	sim := openaitest.New(openaitest.Options{})
	srv := httptest.NewServer(sim)
	defer srv.Close()

	for i := range 3 {
		if i == 1 {
			sim.Inject(openaitest.Fault{Kind: openaitest.Status, Status: 429, RetryAfter: "3", Times: 1})
		}
		resp, err := ask(srv.URL, "/v1/responses", `{"model":"gpt-4.1-mini","input":"hello"}`)
		if err != nil {
			fmt.Println(err)
			return
		}
		_ = resp.Body.Close()
		fmt.Printf("%d %q\n", resp.StatusCode, resp.Header.Get("Retry-After"))
	}
	// Output:
	// 200 ""
	// 429 "3"
	// 200 ""
}

// A client leaves in the middle of a stream, and the simulation has seen it.
func ExampleSim_Wait() {
	sim := openaitest.New(openaitest.Options{Delta: time.Millisecond})
	srv := httptest.NewServer(sim)
	defer srv.Close()
	defer sim.Close()

	resp, err := ask(srv.URL, "/v1/chat/completions", `{"model":"gpt-4.1-mini","stream":true,"messages":[{"role":"user","content":"write 90000 words"}]}`)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, _ = bufio.NewReader(resp.Body).ReadString('\n')
	_ = resp.Body.Close()

	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	fmt.Println(sim.Wait(ctx, openaitest.Canceled(1)), sim.Calls()[0].Canceled)
	// Output:
	// <nil> true
}
