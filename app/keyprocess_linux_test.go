package app

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"claviger.dev/claviger/internal/testnet"
	"claviger.dev/claviger/openaitest"
)

// separateSite is a site whose keys have a process of their own.
func separateSite(t *testing.T) *site {
	t.Helper()
	s := newSite(t)
	s.write("claviger.yaml", strings.Replace(siteConfig, "environment: development", "environment: production\nstate: state\nupstream: {key_process: separate}", 1))
	return s
}

// gatewayOf is the id of the gateway's process beside a key process.
func gatewayOf(t *testing.T, p *process, keyProcess int) int {
	t.Helper()
	_, rest, ok := strings.Cut(p.errs.String(), " gateway=")
	id, err := strconv.Atoi(strings.Fields(rest + " x")[0])
	if !ok || err != nil || id == keyProcess {
		t.Fatalf("the key process does not say who the gateway is:\n%s", p.errs)
	}
	return id
}

// holds reports whether a process has text anywhere in its memory, its
// environment included.
func holds(t *testing.T, pid int, text string) bool {
	t.Helper()
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
	var mem *os.File
	if err == nil {
		mem, err = os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	}
	if errors.Is(err, os.ErrPermission) {
		testnet.Lacking(t, "this user may not read the memory of other processes: the search for the key was not made")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer mem.Close()
	read := int64(0)
	for line := range strings.Lines(string(maps)) {
		f := strings.Fields(line)
		from, to, _ := strings.Cut(f[0], "-")
		start, _ := strconv.ParseUint(from, 16, 64)
		end, _ := strconv.ParseUint(to, 16, 64)
		if f[1][0] != 'r' || end > 1<<47 {
			continue
		}
		found, n := searched(io.NewSectionReader(mem, int64(start), int64(end-start)), text)
		if found {
			return true
		}
		read += n
	}
	if read < 4<<20 {
		t.Fatalf("%d bytes of process %d were read: the search proves nothing", read, pid)
	}
	return false
}

func searched(r io.Reader, text string) (found bool, read int64) {
	buf, kept := make([]byte, 1<<20+len(text)), 0
	for {
		n, err := r.Read(buf[kept : kept+1<<20])
		read += int64(n)
		if bytes.Contains(buf[:kept+n], []byte(text)) {
			return true, read
		}
		if err != nil {
			return false, read
		}
		all := buf[:kept+n]
		kept = copy(buf, all[max(0, len(all)-len(text)+1):])
	}
}

// streamed is the text of a streamed call.
func (p *process) streamed(ticket string) reply {
	p.t.Helper()
	return p.post("/v1/responses", ticket, `{"model":"gpt-4.1-mini","input":"hello","stream":true}`)
}

// TestKeyProcess runs calls through a gateway that does not have the key, and
// looks for the key in all of its memory.
func TestKeyProcess(t *testing.T) {
	s := separateSite(t)
	s.vars["COPY_OF_THE_KEY"] = "x" + s.key
	p, cmd := s.node()
	pid := gatewayOf(t, p, cmd.Process.Pid)
	ticket := s.ticket()
	for range 3 {
		if r := p.generate(ticket); r.StatusCode != http.StatusOK {
			t.Fatalf("%d %s\n%s", r.StatusCode, r.body, p.errs)
		}
	}
	if r := p.streamed(ticket); r.StatusCode != http.StatusOK || !strings.Contains(r.body, "response.completed") {
		t.Errorf("stream: %d %s", r.StatusCode, r.body)
	}
	if n := len(s.sim.Calls()); n != 4 {
		t.Errorf("%d calls came to the provider, want 4", n)
	}
	if status, word, why := p.ready(); status != http.StatusOK {
		t.Errorf("readyz %d %s: %s", status, word, why)
	}
	if holds(t, pid, s.key) {
		t.Error("the gateway's process has the key in its memory")
	}
	if !holds(t, cmd.Process.Pid, s.key) {
		t.Error("the search does not find the key where it is")
	}
	t.Run("in one process the search finds it", func(t *testing.T) {
		one := *s
		one.t, one.dir = t, t.TempDir()
		one.write("claviger.yaml", strings.Replace(siteConfig, "environment: development", "environment: production\nstate: state", 1))
		q, cmd := one.node()
		if r := q.generate(one.ticket()); r.StatusCode != http.StatusOK {
			t.Fatalf("%d %s", r.StatusCode, r.body)
		}
		if !holds(t, cmd.Process.Pid, s.key) {
			t.Error("the search finds no key in a process that has it")
		}
	})
	code, out, errs := s.command("keys", "list", "--gateway", p.admin)
	if code != 0 || !strings.Contains(out, "healthy") {
		t.Errorf("keys list: %d %s %s", code, out, errs)
	}
	ended(t, cmd, syscall.SIGTERM, 0)
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("the gateway outlives the key process: %v", err)
	}
}

// ended sends a signal and waits for the code with which the process ends; -1
// for any.
func ended(t *testing.T, cmd *exec.Cmd, s syscall.Signal, want int) {
	t.Helper()
	if err := cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
	waited(t, cmd, want)
}

func waited(t *testing.T, cmd *exec.Cmd, want int) {
	t.Helper()
	done := make(chan struct{})
	go func() { _ = cmd.Wait(); close(done) }()
	select {
	case <-done:
		if got := cmd.ProcessState.ExitCode(); got != want {
			t.Errorf("ended with %d, want %d", got, want)
		}
	case <-time.After(patience):
		t.Error("does not end")
	}
}

// TestKeyProcessIsClosed: nothing is dumped of the two processes, no program gains
// rights below them, and the log says how the key process is confined.
func TestKeyProcessIsClosed(t *testing.T) {
	s := separateSite(t)
	p, cmd := s.node()
	gateway := gatewayOf(t, p, cmd.Process.Pid)
	for _, pid := range []int{cmd.Process.Pid, gateway} {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(status), "NoNewPrivs:\t1\n") {
			t.Errorf("process %d may gain rights", pid)
		}
		limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", pid))
		if err != nil || !strings.Contains(string(limits), "Max core file size        0                    0 ") {
			t.Errorf("process %d may dump its memory: %v", pid, err)
		}
	}
	if strings.Contains(p.errs.String(), "landlock=\"files and network\"") != (confinementHere() == "files and network") {
		t.Errorf("what landlock does is not said:\n%s", p.errs)
	}
}

// confinementHere is what this kernel's landlock does for keys without commands.
func confinementHere() string { return confinement(nil) }

// TestKeyProcessKilled kills each of the two: the other ends.
func TestKeyProcessKilled(t *testing.T) {
	t.Run("gateway", func(t *testing.T) {
		s := separateSite(t)
		p, cmd := s.node()
		if err := syscall.Kill(gatewayOf(t, p, cmd.Process.Pid), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		waited(t, cmd, 128+int(syscall.SIGKILL))
	})
	t.Run("keys", func(t *testing.T) {
		s := separateSite(t)
		p, cmd := s.node()
		pid := gatewayOf(t, p, cmd.Process.Pid)
		ended(t, cmd, syscall.SIGKILL, -1)
		p.until("the gateway ends", func() bool {
			status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
			return err != nil || strings.Contains(string(status), "State:\tZ")
		})
	})
}

// TestKeyProcessRotates puts another key into the file while the gateway runs,
// and has the configuration changed in a way that would send it elsewhere.
func TestKeyProcessRotates(t *testing.T) {
	s := separateSite(t)
	next := "sk-proj-" + rand.Text() + rand.Text()
	other := openaitest.NewServer(t, openaitest.Options{Keys: []string{s.key, next}})
	s.vars["CLAVIGER_UPSTREAM"] = other.URL
	delete(s.vars, "OPENAI_API_KEY")
	config := strings.Replace(siteConfig, "environment: development", "environment: production\nstate: state\nupstream: {key_process: separate, keys: [file:key]}", 1)
	s.write("key", s.key)
	s.write("claviger.yaml", config)
	p, cmd := s.node()
	pid, ticket := gatewayOf(t, p, cmd.Process.Pid), s.ticket()
	if r := p.generate(ticket); r.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", r.StatusCode, r.body)
	}
	s.write("key", next)
	p.until("the new key is used", func() bool {
		if r := p.generate(ticket); r.StatusCode != http.StatusOK {
			t.Fatalf("%d %s", r.StatusCode, r.body)
		}
		calls := other.Calls()
		return calls[len(calls)-1].Key == next
	})
	if holds(t, pid, s.key) || holds(t, pid, next) {
		t.Error("the gateway's process has a key in its memory")
	}
	s.write("claviger.yaml", strings.Replace(config, "keys: [file:key]", "key_header: api-key, keys: [file:key]", 1))
	p.until("it takes a restart", func() bool {
		_, word, why := p.ready()
		return word == "degraded" && strings.Contains(why, "takes a restart")
	})
	s.write("claviger.yaml", strings.Replace(config, "keys: [file:key]", "keys: ['command:cat "+filepath.Join(s.dir, "key")+"']", 1))
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	p.until("a command takes a restart", func() bool {
		_, _, why := p.ready()
		return strings.Contains(why, "new command")
	})
	if r := p.generate(ticket); r.StatusCode != http.StatusOK {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
}

// TestGatewayAloneRefuses: the internal command is of no use to others.
func TestGatewayAloneRefuses(t *testing.T) {
	cmd := exec.Command(os.Args[0], gatewayArg, "serve")
	cmd.Args[0], cmd.Dir = nodeName, t.TempDir()
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState.ExitCode() != exitBad || !strings.Contains(string(out), "key process alone") {
		t.Errorf("%v: %s", err, out)
	}
}
