package app

import (
	"bufio"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestStart runs the real program, with no network but loopback, and logs how
// long it takes to be ready and what it occupies when idle. The figures decide
// nothing: a busy machine is no fault of the program.
func TestStart(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program")
	}
	s := newSite(t)
	program := filepath.Join(t.TempDir(), "claviger")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../cmd/claviger").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	cmd := exec.CommandContext(t.Context(), program, "serve")
	cmd.Dir, cmd.Env = s.dir, s.environment(nil, nil).Vars
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	admin := ""
	for lines := bufio.NewScanner(stderr); admin == "" && lines.Scan(); {
		if m := regexp.MustCompile(`admin=(\S+)`).FindStringSubmatch(lines.Text()); m != nil {
			admin = "http://" + m[1]
		}
	}
	p := &process{site: s, admin: admin, client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
	if status, word, reasons := p.ready(); status != http.StatusOK {
		t.Errorf("readyz: %d %s %s", status, word, reasons)
	}
	t.Logf("from exec to readyz: %s", time.Since(begun).Round(time.Millisecond))
	time.Sleep(200 * time.Millisecond)
	t.Logf("resident when idle: %.1f MB", float64(resident(t, cmd.Process.Pid))/1e6)
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = bufio.NewReader(stderr).WriteTo(&output{}) }()
	if err := cmd.Wait(); err != nil {
		t.Errorf("after an interrupt: %v", err)
	}
}

// resident is the resident memory of a process in bytes, 0 where the system
// does not tell.
func resident(t *testing.T, pid int) int64 {
	t.Helper()
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/statm")
	if err != nil {
		t.Log("this system does not tell")
		return 0
	}
	pages, err := strconv.ParseInt(strings.Fields(string(data))[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}
