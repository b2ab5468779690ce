package process

import (
	"context"
	"errors"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	const rest = " S 17 2 3 4 5 6 7 8 9 10 250 50 13 14 15 16 17 18\n"
	for _, name := range []string{"nginx", "a b", "evil) R 1 2", "((", ")"} {
		s, err := parseStat([]byte("42 (" + name + ")" + rest))
		if err != nil || s.parent != 17 || s.cpu != 3*time.Second {
			t.Errorf("%q: %+v %v", name, s, err)
		}
	}
	for _, bad := range []string{"", "42 (x", "42 (x) S 1 2 3", "42 (x) S a 2 3 4 5 6 7 8 9 10 1 1 1", "42 (x) S 1 2 3 4 5 6 7 8 9 10 x 1 1"} {
		if _, err := parseStat([]byte(bad)); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

func TestParseStatus(t *testing.T) {
	const status = "Name:\tVmRSS\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\nBad:\t7\nWorse:\tx kB\n"
	for field, want := range map[string]int64{"VmRSS": 1 << 20, "VmHWM": 2 << 20} {
		if got, err := parseStatus([]byte(status), field); err != nil || got != want {
			t.Errorf("%s: %d %v", field, got, err)
		}
	}
	for _, field := range []string{"Name", "Bad", "Worse", "None"} {
		if _, err := parseStatus([]byte(status), field); err == nil {
			t.Errorf("%s was read", field)
		}
	}
}

// What /proc says of this process is what this process does.
func TestReadsItself(t *testing.T) {
	before, err := CPU(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	var r syscall.Rusage
	for busy := time.Duration(0); busy < 100*time.Millisecond; {
		for range 1_000_000 {
		}
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
			t.Fatal(err)
		}
		busy = time.Duration(r.Utime.Nano()+r.Stime.Nano()) - before
	}
	after, err := CPU(os.Getpid())
	if err != nil || after-before < 50*time.Millisecond {
		t.Errorf("%s after 100 ms of work, %v", after-before, err)
	}

	if err := ResetPeak(os.Getpid()); err != nil {
		t.Skipf("NOT TESTED, the peak cannot be reset here: %v", err)
	}
	small, err := Resident(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	const size = 64 << 20
	b := make([]byte, size)
	for i := 0; i < len(b); i += os.Getpagesize() {
		b[i] = 1
	}
	large, err := Resident(os.Getpid())
	if err != nil || large.Now-small.Now < size*3/4 || large.Peak < large.Now {
		t.Errorf("%+v, then %+v with %d more, %v", small, large, size, err)
	}
	runtime.KeepAlive(b)
}

func sh(t *testing.T, script string) *Child {
	t.Helper()
	c, err := Start(t.Context(), Command{Name: "script", Path: "/bin/sh", Args: []string{"-c", script}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Stop)
	return c
}

func gone(pid int) bool {
	for range 1000 {
		if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			return true
		}
		if s, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat"); err == nil && strings.Contains(string(s), ") Z ") {
			return true // dead, and nobody has asked for its status yet
		}
		time.Sleep(5 * time.Millisecond)
	}
	return false
}

// All that a child started ends with it, also what outlives its parent's end.
func TestStopEndsTheWholeTree(t *testing.T) {
	c := sh(t, "sleep 1000 & sleep 1000 & wait")
	var pids []int
	ready := func(context.Context) bool {
		pids, _ = tree(c.PID)
		return len(pids) == 3
	}
	if err := c.Await(t.Context(), 10*time.Second, ready); err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(pids, c.PID) || c.Alive() != nil {
		t.Fatalf("tree of %d: %v", c.PID, pids)
	}
	c.Stop()
	for _, pid := range pids {
		if !gone(pid) {
			t.Errorf("%d is still there", pid)
		}
	}
	c.Stop() // once more does no harm
}

func TestContextEndsTheTree(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c, err := Start(ctx, Command{Name: "script", Path: "/bin/sh", Args: []string{"-c", "trap '' TERM; sleep 1000 & wait"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Stop)
	cancel()
	if !gone(c.PID) {
		t.Errorf("%d is still there", c.PID)
	}
}

func TestAwaitSaysWhatTheChildSaid(t *testing.T) {
	c := sh(t, "echo no configuration >&2; exit 2")
	err := c.Await(t.Context(), 10*time.Second, func(context.Context) bool { return false })
	if err == nil || !strings.Contains(err.Error(), "exit status 2") || !strings.Contains(err.Error(), "no configuration") {
		t.Error(err)
	}
	if c.Alive() == nil {
		t.Error("an ended child is alive")
	}
	c = sh(t, "echo still busy >&2; sleep 1000")
	said := func(context.Context) bool { return c.tail.String() != "" }
	if err := c.Await(t.Context(), 10*time.Second, said); err != nil {
		t.Fatal(err)
	}
	err = c.Await(t.Context(), 20*time.Millisecond, func(context.Context) bool { return false })
	if !errors.Is(err, errNotReady) || !strings.Contains(err.Error(), "still busy") {
		t.Error(err)
	}
}

func TestTailIsTheEnd(t *testing.T) {
	k, err := newTail()
	if err != nil {
		t.Fatal(err)
	}
	defer k.f.Close()
	if s := k.String(); s != "" {
		t.Errorf("%q of an empty log", s)
	}
	for i := range 1000 {
		_, _ = k.f.WriteString("line " + strconv.Itoa(i) + "\n")
	}
	if s := k.String(); len(s) != tailSize || !strings.HasSuffix(s, "line 999\n") {
		t.Errorf("%d bytes, %q", len(s), s[max(0, len(s)-20):])
	}
}

func TestFreePortAndFileLimit(t *testing.T) {
	addr, err := FreePort()
	if err != nil || Accepts(t.Context(), addr) {
		t.Errorf("%s %v", addr, err)
	}
	if err := RaiseFileLimit(1 << 62); err == nil {
		t.Error("no limit at all")
	}
}
